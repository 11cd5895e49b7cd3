"""What if the thief comes after the victim has refreshed?"""

from __future__ import annotations

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import NOTHING_TO_REFRESH, good
from lab.attacks.times import SHORT, after_the_grace


class ReplayAfterRotation(Attack):
    """Victim first: what the thief holds has been exchanged already."""

    key = "replay-after-rotation"
    title = "Refresh with a copy after the owner did (victim first)"
    group = Group.REUSE
    catalogue = ("A24",)
    story = "Mallory copies ada's login. Ada's browser refreshes. Later mallory sends her copy."
    precondition = "A copy of the refresh token, or the session id."
    expected = verdicts(succeeds=("jwt-no-rotation",), does_not_apply=("jwt-naive",))
    environment = SHORT

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        thief = scene.thief_of(ada)
        if not good(ada.refreshes("Ada's browser refreshes.")):
            return scene.does_not_apply(NOTHING_TO_REFRESH)
        after_the_grace()
        if good(thief.refreshes("Mallory refreshes with her copy.")):
            return scene.succeeds("What was exchanged was taken again: both have a live login now.")
        goes_on = good(ada.refreshes("Ada's browser refreshes again."))
        noticed = (
            "The copy was refused; nobody took it for theft, and ada goes on."
            if goes_on
            else "It was taken for what it is, a theft: the whole login has ended, ada's as well."
        )
        return scene.stopped(f"A credential is exchanged once. {noticed}")
