"""Does a new password end what was stolen under the old one?"""

from __future__ import annotations

from lab.attacks.person import Person, must
from lab.attacks.scene import Scene
from lab.attacks.stolen.ending import AfterTheEnd


class UseAfterPasswordChange(AfterTheEnd):
    """What everybody is told to do after a theft."""

    key = "use-after-password-change"
    title = "Use a copy after the password was changed"
    catalogue = ("A34",)
    story = "Ada suspects something and changes her password. Mallory's copy is older than that."
    ended_by = "The password was changed"

    def end(self, scene: Scene, ada: Person) -> None:
        change = {"current_password": ada.password, "new_password": f"{ada.password}-and-more"}
        must(ada.call("Ada changes her password.", "POST", "password/", change))
