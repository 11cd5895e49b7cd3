"""For how long can a thief refresh, if nobody notices?"""

from __future__ import annotations

import time

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import NOTHING_TO_REFRESH, good

ABSOLUTE_SECONDS = 7
# Twice that, with refreshes close enough for the idle time, and none in the last second: what that
# one gives may be over when it comes, and then nobody would be there to be refused.
STEPS, STEP_SECONDS = 4, 4


class GoOnForEver(Attack):
    """Stock rotation gives each refresh token a whole lifetime: it never ends."""

    key = "go-on-for-ever"
    title = "Refresh for ever, unnoticed"
    group = Group.STOLEN
    catalogue = ("A30",)
    story = (
        "Ada has gone on a journey and does not use her login. Mallory refreshes her copy again "
        f"and again. (A login lives for {ABSOLUTE_SECONDS} seconds at most here.)"
    )
    precondition = "A copy that nobody competes for."
    expected = verdicts(does_not_apply=("jwt-naive",))
    environment = {
        "ABSOLUTE_SECONDS": str(ABSOLUTE_SECONDS),
        "REFRESH_IDLE_SECONDS": str(ABSOLUTE_SECONDS),
        "SESSION_IDLE_SECONDS": str(ABSOLUTE_SECONDS),
        "ACCESS_SECONDS": "2",
        "LEEWAY_SECONDS": "0",
        "GRACE_SECONDS": "1",
    }

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        thief = scene.thief_of(ada)
        began = time.monotonic()
        if not good(thief.refreshes("Mallory refreshes the first time.")):
            return scene.does_not_apply(NOTHING_TO_REFRESH)
        goes_on = True
        for _ in range(STEPS):
            time.sleep(STEP_SECONDS)
            passed = round(time.monotonic() - began)
            goes_on = good(thief.refreshes(f"{passed} seconds after the theft."))
            if not goes_on:
                break
        if goes_on:
            return scene.succeeds("Each refresh gave a whole lifetime: there is no last one.")
        return scene.stopped("Refreshing never passes the absolute end that the login began with.")
