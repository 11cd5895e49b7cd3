"""Is a deleted user's credential good for anything?"""

from __future__ import annotations

from lab.attacks.person import Person
from lab.attacks.scene import Scene
from lab.attacks.stolen.ending import AfterTheEnd


class UseAfterDeletion(AfterTheEnd):
    """A credential that names nobody. (Stock JWT answers with a 500.)"""

    key = "use-after-deletion"
    title = "Use a copy after the account was deleted"
    catalogue = ("A36",)
    story = "Ada's account is deleted. Mallory still has the copy of her login."
    ended_by = "The account is gone"

    def end(self, scene: Scene, ada: Person) -> None:
        scene.stage.inside.call("delete_user", user_id=scene.ids[ada.name])
        scene.note("admin", "An admin deletes the account.")
