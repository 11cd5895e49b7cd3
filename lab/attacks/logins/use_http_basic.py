"""Is there a side door that takes passwords by HTTP Basic?"""

from __future__ import annotations

import httpx

from accounts.contract.views import ContractView
from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.held import source_of
from lab.attacks.scene import Scene


class UseHttpBasic(Attack):
    """DRF's defaults take HTTP Basic on every view, with no limit."""

    key = "use-http-basic"
    title = "Log in by HTTP Basic, where nobody counts"
    group = Group.LOGIN
    catalogue = ("A55",)
    story = "Mallory knows a password, or guesses, and sends it as HTTP Basic with each request."
    precondition = "A username."
    expected = verdicts()

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        mallory = scene.client("mallory", ada.username)
        basic = httpx.BasicAuth(ada.username, ada.password)
        paths = (mallory.path("whoami/"), mallory.path("me/"), "/api/sessions/me/", "/api/jwt/me/")
        got_in = False
        for path in paths:
            answer = mallory.raw("The right password, by HTTP Basic.", "GET", path, auth=basic)
            got_in = got_in or answer.is_success
        if got_in:
            return scene.succeeds("A second door takes passwords, and none of its guesses counts.")
        return scene.stopped(
            "Nobody reads that header: a view takes the credential of its strategy and no other.",
            held=source_of(ContractView.get_authenticators, "self.flow.authentication()"),
        )
