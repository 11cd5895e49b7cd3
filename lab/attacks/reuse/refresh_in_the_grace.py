"""Does the grace take back what a logout has ended?"""

from __future__ import annotations

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.person import must
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import NOTHING_TO_REFRESH, good


class RefreshInTheGrace(Attack):
    """The grace forgives a token that was used, and must not forgive one that was ended."""

    key = "refresh-in-the-grace"
    title = "Use the grace after a logout, or after a reuse"
    group = Group.REUSE
    catalogue = ("A29",)
    story = (
        "Ada's browser refreshes, and she logs out a moment later. Mallory sends the predecessor, "
        "whose grace is not over."
    )
    precondition = "A copy from one refresh ago, and a grace that is not over."
    expected = verdicts(does_not_apply=("jwt-naive",))

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        thief = scene.thief_of(ada)
        if not good(ada.refreshes("Ada's browser refreshes.")):
            return scene.does_not_apply(NOTHING_TO_REFRESH)
        must(ada.leaves("Ada logs out at once."))
        again = good(thief.refreshes("Mallory sends the predecessor, within its grace."))
        if again or good(thief.refreshes("And once more.")):
            return scene.succeeds("The grace looked at the token, and not at the login's end.")
        return scene.stopped("The end of a login is looked at first; then comes the grace.")
