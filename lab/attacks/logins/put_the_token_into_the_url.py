"""Is a credential taken from a URL?"""

from __future__ import annotations

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.held import source_of
from lab.attacks.scene import Scene

NAMES = ("access_token", "token", "jwt", "sessionid", "session", "refresh")


class PutTheTokenIntoTheUrl(Attack):
    """URLs stand in logs, in histories and in the Referer of the next page."""

    key = "put-the-token-into-the-url"
    title = "Use a credential in the URL"
    group = Group.LOGIN
    catalogue = ("A53",)
    story = (
        "Mallory reads ada's credential in a log, in a URL, where a careless program had put it. "
        "Would the site have taken it there?"
    )
    precondition = "Somebody's log."
    expected = verdicts()

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        secret = ada.access_token or ada.session_id or ""
        mallory = scene.client("mallory")
        got_in = False
        for name in NAMES:
            query = {name: secret}
            answer = mallory.raw(f"As `?{name}=`.", "GET", mallory.path("whoami/"), params=query)
            got_in = got_in or answer.is_success
        if got_in:
            return scene.succeeds("The site takes it there, so that logs are full of logins.")
        return scene.stopped(
            "Credentials come in a cookie or a header; what stands in a URL is not looked at.",
            held=source_of(type(scene.strategy.flow.authentication()).authenticate),
        )
