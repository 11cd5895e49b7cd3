"""Does a logout end the login, if the browser's cookie is one refresh behind?"""

from __future__ import annotations

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import NOTHING_TO_REFRESH, good


class LogOutWithTheOldCookie(Attack):
    """The thief was faster at refreshing; the victim only wants to leave."""

    key = "log-out-with-the-old-cookie"
    title = "Survive a logout by having refreshed before it"
    group = Group.STOLEN
    catalogue = ("A32",)
    story = (
        "Mallory refreshes ada's login, so that ada's browser holds the generation before. Ada "
        "logs out with it. Mallory refreshes once more."
    )
    precondition = "A copy of the refresh token, or the session id."
    expected = verdicts(does_not_apply=("jwt-naive",))

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        thief = scene.thief_of(ada)
        if not good(thief.refreshes("Mallory refreshes first.")):
            return scene.does_not_apply(NOTHING_TO_REFRESH)
        ada.leaves("Ada logs out, with what her browser still holds.")
        if good(thief.refreshes("Mallory refreshes again.")):
            return scene.succeeds(
                "The logout ended what ada's browser held, and that was over already."
            )
        return scene.stopped("A logout ends what its credential led to, not only its own letters.")
