"""Can a refresh slip through while every login is ended?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.person import must
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import NOTHING_TO_REFRESH, good

TRIALS = 3


class RaceTheLogout(Attack):
    """What is issued while everything is revoked must be dead on arrival."""

    key = "race-the-logout"
    title = "Refresh while every login is being ended"
    group = Group.REUSE
    catalogue = ("A37",)
    story = (
        "Ada logs out everywhere. At the same moment mallory refreshes her copy, so that hers may "
        f"be issued just after the list of logins was read. {TRIALS} races are run."
    )
    precondition = "A copy, and good timing."
    expected = verdicts(does_not_apply=("jwt-naive",))

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        alive = 0
        for _ in range(TRIALS):
            ada.log_in()
            if not ada.can_refresh:
                return scene.does_not_apply(NOTHING_TO_REFRESH)
            thief = scene.thief_of(ada)
            start = Barrier(2)
            for each in (ada, thief):
                each.fetch_csrf_token()

            def leave(start: Barrier = start) -> None:
                start.wait()
                must(ada.call("Ada logs out everywhere.", "POST", "logout-all/"))

            with ThreadPoolExecutor(1) as threads:
                leaving = threads.submit(leave)
                start.wait()
                thief.refreshes("Mallory refreshes at the same moment.")
                leaving.result()
            alive += good(thief.refreshes("Afterwards she refreshes what she got."))
        if alive:
            return scene.succeeds(f"{alive} of {TRIALS} copies outlived the logout.")
        return scene.stopped(
            "What is issued carries the user's epoch; raising it ends all that is older, also what "
            "is issued in the same moment."
        )
