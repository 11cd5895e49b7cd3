"""Does a deactivated account's credential come back with the account?"""

from __future__ import annotations

from lab.attacks.person import Person
from lab.attacks.scene import Scene
from lab.attacks.stolen.ending import AfterTheEnd


class UseAfterDeactivation(AfterTheEnd):
    """Stock sessions and stock JWT both revive with the account."""

    key = "use-after-deactivation"
    title = "Use a copy after the account was off, and on again"
    catalogue = ("A35",)
    story = (
        "An admin deactivates ada's account, because it was taken over, and activates it again "
        "when that is settled. Mallory has kept the copy."
    )
    ended_by = "The account was deactivated and activated again"

    def end(self, scene: Scene, ada: Person) -> None:
        user_id = scene.ids[ada.name]
        scene.stage.inside.call("set_active", user_id=user_id, active=False)
        scene.note("admin", "An admin deactivates the account, and looks into it.")
        scene.stage.inside.call("set_active", user_id=user_id, active=True)
        scene.note("admin", "The admin activates it again.")
