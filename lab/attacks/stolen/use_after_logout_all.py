"""Does "log out everywhere" reach a copy that nobody knows of?"""

from __future__ import annotations

from lab.attacks.person import Person, must
from lab.attacks.scene import Scene
from lab.attacks.stolen.ending import AfterTheEnd


class UseAfterLogoutAll(AfterTheEnd):
    """The button for the lost phone."""

    key = "use-after-logout-all"
    title = "Use a copy after a logout everywhere"
    catalogue = ("A31", "A34")
    story = "Ada logs out everywhere, from another browser. Mallory's copy is of the first one."
    ended_by = "Every login was ended"

    def end(self, scene: Scene, ada: Person) -> None:
        other = scene.client("ada", ada.username)
        other.log_in("Ada logs in on another computer.")
        must(other.call("Ada logs out everywhere.", "POST", "logout-all/"))
