"""What ends a stolen credential? One story for every end: steal, end, use the copy again."""

from __future__ import annotations

from abc import abstractmethod

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.person import Person
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import for_how_long, good

LIVES_ON = ("jwt-naive", "jwt-expiry", "jwt-cookie")


class AfterTheEnd(Attack):
    """Mallory uses and refreshes a copy after something has ended ada's logins."""

    group = Group.STOLEN
    precondition = "A copy of all that ada's browser holds."
    expected = verdicts(succeeds=LIVES_ON)
    ended_by: str
    """What happened, as the beginning of a sentence: "The password was changed"."""

    @abstractmethod
    def end(self, scene: Scene, ada: Person) -> None:
        """What ends the login, and leaves the thief's copy as it is."""

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        thief = scene.thief_of(ada)
        self.end(scene, ada)
        uses = good(thief.asks("Mallory uses the copy."))
        left = for_how_long(thief)
        writes = good(
            thief.call("Mallory changes the name.", "PATCH", "me/", {"display_name": "Mallory"})
        )
        renews = good(thief.refreshes("Mallory refreshes the copy."))
        if renews:
            return scene.succeeds(f"{self.ended_by}, and the copy can still be renewed.")
        if uses or writes:
            also = "" if writes else " What reads the user's row, such as the profile, refuses it."
            return scene.succeeds(
                f"{self.ended_by}, and checks that look nothing up go on: the signature is as good "
                f"as before. It cannot be renewed.{left}{also}"
            )
        return scene.stopped(f"{self.ended_by}, and the next request of the copy was refused.")
