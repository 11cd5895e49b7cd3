"""Does a stolen login outlive a new login in the same browser?"""

from __future__ import annotations

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import NOTHING_TO_REFRESH, good


class KeepTheIdOverALogin(Attack):
    """Django keeps a session's id when the same user logs in again."""

    key = "keep-the-id-over-a-login"
    title = "Keep a stolen login over the owner's next login"
    group = Group.STOLEN
    catalogue = ("A39",)
    story = (
        "Mallory has a copy of ada's login. Ada logs in again in the same browser, as people do "
        "when something seems odd. Mallory refreshes the copy."
    )
    precondition = "A copy of the refresh token, or the session id."
    expected = verdicts(does_not_apply=("jwt-naive",))

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        thief = scene.thief_of(ada)
        if not ada.can_refresh:
            return scene.does_not_apply(NOTHING_TO_REFRESH)
        ada.log_in("Ada logs in again, in the same browser.")
        if good(thief.refreshes("Mallory refreshes the copy.")):
            return scene.succeeds("The new login left the old one as it was, and so its copy.")
        return scene.stopped("A login ends the one whose cookie it is about to overwrite.")
