"""Is a copied credential worth anything once its owner has logged out?"""

from __future__ import annotations

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.person import must
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import for_how_long, good


class UseAfterLogout(Attack):
    """The question that the whole comparison is about."""

    key = "use-after-logout"
    title = "Use a copy after its owner logged out"
    group = Group.STOLEN
    catalogue = ("A31", "A34")
    story = "Mallory has copied all that ada's browser holds. Ada logs out. Mallory goes on."
    precondition = "A copy of the credential: an XSS, a shared computer, a log with too much in it."
    expected = verdicts(succeeds=("jwt-naive", "jwt-expiry", "jwt-cookie"))

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        thief = scene.thief_of(ada)
        thief.asks("The copy works as well as the original.")
        must(ada.leaves("Ada logs out."))
        if good(thief.asks("Ada is out. Mallory asks once more.")):
            return scene.succeeds(
                "Nobody looks up whether the login has ended: the signature is good, and that is "
                f"all that is asked.{for_how_long(thief)}"
            )
        return scene.stopped("The server asks, on each request, whether this login has ended.")
