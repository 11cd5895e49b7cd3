"""Can an image or a link log somebody out?"""

from __future__ import annotations

from accounts.contract.views import LogoutView
from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.held import source_of
from lab.attacks.scene import Scene


class LogOutByALink(Attack):
    """GET is what browsers send by themselves: for images, previews, prefetching."""

    key = "log-out-by-a-link"
    title = "Log somebody out by an image or a link"
    group = Group.LOGIN
    catalogue = ("A52",)
    story = "Ada's browser loads an image whose address is that of the logout."
    precondition = "A page or mail that ada looks at."
    expected = verdicts()

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        thief = scene.thief_of(ada)
        for path in ("logout/", "logout-all/", "refresh/"):
            thief.call("What an image makes ada's browser send.", "GET", path)
        if not ada.asks("Is ada still in?").is_success:
            return scene.succeeds("A link was enough to log ada out.")
        return scene.stopped(
            "What changes something is a POST; a GET there is refused with 405.",
            held=source_of(LogoutView, "def post"),
        )
