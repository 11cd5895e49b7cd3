"""Whose request is it that comes with two people's credentials?"""

from __future__ import annotations

from accounts.contract.views import CookieAuthorityView
from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.held import source_of
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import good


class BeTwoAtOnce(Attack):
    """A bearer token of one and cookies of the other, on one request."""

    key = "be-two-at-once"
    title = "Send one's own cookies with another's token"
    group = Group.STOLEN
    catalogue = ("A33", "A54")
    story = (
        "Mallory sends ada's access token in the header, which is all she has of her, and her own "
        "cookies with it, to get a fresh token in ada's name."
    )
    precondition = "An access token of the victim, from a log, and an account of her own."
    expected = verdicts(does_not_apply=("jwt-naive",))

    def run(self, scene: Scene) -> Outcome:
        ada, mallory = scene.person("ada"), scene.person("mallory")
        ada.log_in()
        mallory.log_in()
        if mallory.session_id is None and mallory.refresh_token is None:
            return scene.does_not_apply("There is one credential, and no second place for it.")
        stolen = {"Authorization": f"Bearer {ada.access_token or ada.session_id}"}
        answer = mallory.call(
            "Ada's token in the header, mallory's cookies.", "POST", "refresh/", headers=stolen
        )
        whose = mallory.asks("Whose is the fresh credential?")
        if good(answer) and good(whose) and whose.json()["id"] == scene.ids["ada"]:
            return scene.succeeds("The token of one was renewed by the cookie of the other.")
        return scene.stopped(
            "A refresh reads its cookie and nothing else: what came of it is mallory's own.",
            held=source_of(CookieAuthorityView.get_authenticators),
        )
