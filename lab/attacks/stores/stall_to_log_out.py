"""Does a stalled Redis log everybody out?"""

from __future__ import annotations

from jwt_api.revocation import roles_now
from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.held import source_of
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import good
from lab.attacks.stores.outage import stalled
from lab.attacks.times import STRICT
from sessions_api.store import store_errors


class StallToLogOut(Attack):
    """Stock cache sessions: "you are nobody", and a Set-Cookie that deletes the cookie."""

    key = "stall-to-log-out"
    title = "Stall Redis to log everybody out"
    group = Group.STORE
    catalogue = ("A42",)
    story = (
        "Mallory keeps Redis so busy that it answers nobody for some seconds. Ada's browser asks "
        "meanwhile. Is she still logged in when it is over?"
    )
    precondition = "A way to stall Redis."
    expected = verdicts()
    environment = STRICT
    alone = True

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        with stalled(scene):
            meanwhile = ada.asks("Ada's browser asks, meanwhile.")
        afterwards = ada.asks("And afterwards.")
        if meanwhile.status_code in (401, 403) or not good(afterwards):
            return scene.succeeds("A moment without the store was taken for a logout.")
        if good(meanwhile):
            return scene.stopped(
                "Nothing that this strategy asks was away: it answered as on any day.",
                held=source_of(type(scene.strategy.flow.authentication()).authenticate),
            )
        return scene.stopped(
            f"Meanwhile the answer was {meanwhile.status_code}, and the cookie was kept: not to "
            "know is something else than to know that nobody is there.",
            held=source_of(roles_now if ada.access_token else store_errors.__exit__, "raise Store"),
        )
