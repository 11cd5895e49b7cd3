"""Can what a logout ended be renewed?"""

from __future__ import annotations

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.person import must
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import NOTHING_TO_REFRESH, good


class RefreshAfterLogout(Attack):
    """A logout that only the browser hears of ends nothing."""

    key = "refresh-after-logout"
    title = "Refresh with old and new copies after a logout"
    group = Group.STOLEN
    catalogue = ("A31",)
    story = (
        "Mallory copies ada's login, and once more after ada's browser has refreshed it. Ada logs "
        "out. Mallory refreshes with both copies."
    )
    precondition = "Copies of the refresh token, or the session id, of both generations."
    expected = verdicts(does_not_apply=("jwt-naive",))

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        first = scene.thief_of(ada)
        if not good(ada.refreshes("Ada's browser refreshes.")):
            return scene.does_not_apply(NOTHING_TO_REFRESH)
        second = scene.thief_of(ada)
        must(ada.leaves("Ada logs out."))
        new = good(second.refreshes("Mallory refreshes with the newer copy."))
        old = good(first.refreshes("Mallory refreshes with the older copy."))
        if new or old:
            return scene.succeeds("The logout ended one generation, and the other lives on.")
        return scene.stopped("A logout ends the login, whichever generation of it somebody holds.")
