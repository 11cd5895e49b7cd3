"""What does a logout say that Redis did not hear of?"""

from __future__ import annotations

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import for_how_long, good
from lab.attacks.stores.outage import stalled
from lab.attacks.times import STRICT


class StallALogout(Attack):
    """Stock cache sessions: 200, and the session lives."""

    key = "stall-a-logout"
    title = "Stall Redis while somebody logs out"
    group = Group.STORE
    catalogue = ("A41",)
    story = (
        "Mallory has a copy of ada's login, and keeps Redis so busy that it answers nobody. Ada "
        "logs out. If she is told that it worked, does it hold?"
    )
    precondition = "A copy, and a way to stall Redis."
    expected = verdicts(succeeds=("jwt-naive", "jwt-expiry", "jwt-cookie"))
    environment = STRICT
    alone = True

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        thief = scene.thief_of(ada)
        ada.fetch_csrf_token()
        with stalled(scene):
            told = ada.leaves("Ada logs out.")
        if not good(told):
            told = ada.leaves("She was told that it did not work, and tries again.")
        uses = good(thief.asks("Mallory uses the copy."))
        left = for_how_long(thief)
        renews = good(thief.refreshes("Mallory refreshes it."))
        if good(told) and (uses or renews):
            how = "can still be renewed" if renews else f"goes on until it expires.{left}"
            return scene.succeeds(f"The logout was confirmed, and the copy {how}")
        return scene.stopped(
            "A logout that the store did not confirm is answered with 503; one that is confirmed "
            "has happened."
        )
