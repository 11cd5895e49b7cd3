"""Does ending one device from the list end the copy as well?"""

from __future__ import annotations

from lab.attacks.person import Person
from lab.attacks.scene import Scene
from lab.attacks.stolen.ending import AfterTheEnd


class UseAfterTheDeviceWasEnded(AfterTheEnd):
    """The list of devices shows the login that was copied, where somebody keeps one."""

    key = "use-after-device-ended"
    title = "Use a copy after its device was ended from another one"
    catalogue = ("A31",)
    story = "Ada's laptop was stolen. From her phone she ends every other device of the list."
    ended_by = "The device was ended"

    def end(self, scene: Scene, ada: Person) -> None:
        phone = scene.client("ada", ada.username)
        phone.log_in("Ada logs in on her phone.")
        devices = phone.call("Ada looks at her devices.", "GET", "devices/").json()
        for device in devices:
            if not device["current"]:
                phone.call("Ada ends it.", "DELETE", f"devices/{device['id']}/")
