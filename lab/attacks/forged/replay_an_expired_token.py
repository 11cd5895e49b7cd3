"""What if a token is used after its time?"""

from __future__ import annotations

import time

from lab.attacks.attack import SESSIONS, Attack, Group, Outcome, verdicts
from lab.attacks.forged.forging import OPAQUE
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import for_how_long
from lab.attacks.times import ACCESS_SECONDS, SHORT


class ReplayAnExpiredToken(Attack):
    """Expiry is the one revocation that a signature carries with it."""

    key = "replay-an-expired-token"
    title = "Use an access token after its time"
    group = Group.FORGED
    catalogue = ("A20",)
    story = (
        "Mallory finds an access token in an old log, and presents it when its time is over. "
        f"(Access tokens live for {ACCESS_SECONDS} seconds here, without leeway.)"
    )
    precondition = "An old access token."
    expected = verdicts(succeeds=("jwt-naive",), does_not_apply=SESSIONS)
    environment = SHORT

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        if ada.access_token is None:
            return scene.does_not_apply(OPAQUE)
        thief = scene.client("mallory", ada.username)
        if ada.cookie("access"):
            thief.put_cookie("access", ada.access_token)
        else:
            thief.token = ada.access_token
        time.sleep(ACCESS_SECONDS + 1)
        if thief.asks(f"{ACCESS_SECONDS + 1} seconds later.").is_success:
            return scene.succeeds(
                "This token does not heed the settings of the others: it is good for a day."
                f"{for_how_long(thief)}"
            )
        return scene.stopped("`exp` is checked each time: what was found too late opens nothing.")
