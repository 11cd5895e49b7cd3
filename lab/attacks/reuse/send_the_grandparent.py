"""Does the grace for two tabs help who holds an even older token?"""

from __future__ import annotations

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import NOTHING_TO_REFRESH, good


class SendTheGrandparent(Attack):
    """A grace that looks at the time alone takes anything that is young enough."""

    key = "send-the-grandparent"
    title = "Use the grace with a token two refreshes old"
    group = Group.REUSE
    catalogue = ("A28",)
    story = "Ada's browser refreshes twice within seconds. Mallory sends the first token of three."
    precondition = "A copy from two refreshes ago, and a grace that is not over."
    expected = verdicts(does_not_apply=("jwt-naive",))

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        thief = scene.thief_of(ada)
        if not good(ada.refreshes("Ada's browser refreshes.")):
            return scene.does_not_apply(NOTHING_TO_REFRESH)
        ada.refreshes("And at once again.")
        if good(thief.refreshes("Mallory sends the oldest of the three.")):
            return scene.succeeds("The grace asked how young the token is, and not whose parent.")
        return scene.stopped("The grace is for the immediate predecessor, and for nothing older.")
