"""What if a refresh token is used many times at the same moment?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.forged.forging import parts_of
from lab.attacks.person import Person
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import NOTHING_TO_REFRESH, good
from lab.attacks.times import SHORT, after_the_grace

RACERS = 12


class RaceToRefresh(Attack):
    """Check, then act: SimpleJWT's own view had several winners in 92 of 100 races."""

    key = "race-to-refresh"
    title = "Refresh many times at once, and use every branch"
    group = Group.REUSE
    catalogue = ("A26", "A27")
    story = (
        f"Mallory sends {RACERS} refreshes with one copy at the same moment. Later she refreshes "
        "with everything that came back, to see how many logins she has now."
    )
    precondition = "A copy of the refresh token, or the session id."
    expected = verdicts(does_not_apply=("jwt-naive",))
    environment = SHORT

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        if not ada.can_refresh:
            return scene.does_not_apply(NOTHING_TO_REFRESH)
        racers = [scene.thief_of(ada) for _ in range(RACERS)]
        winners = at_once(racers)
        branches = {racer.session_id or claims_of(racer) for racer in winners}
        after_the_grace()
        alive = 0
        for racer in winners[:4]:
            alive += good(racer.refreshes("Later, mallory refreshes with what this one got."))
            after_the_grace()
        if len(branches) > 1 or alive > 1:
            return scene.succeeds(
                f"{len(branches)} different branches came of one token, and {alive} lived on."
            )
        return scene.stopped(
            f"{len(winners)} of {RACERS} were answered, all with the same successor, as tabs of "
            "one browser are: there is one next generation, and it is used once as well."
        )


def at_once(racers: list[Person]) -> list[Person]:
    """Those whose refresh was answered, all of them sent at the same moment."""
    start = Barrier(len(racers))
    for racer in racers:
        racer.fetch_csrf_token()

    def refresh(racer: Person) -> bool:
        start.wait()
        return good(racer.refreshes("One of many refreshes at the same moment."))

    with ThreadPoolExecutor(len(racers)) as threads:
        answered = list(threads.map(refresh, racers))
    return [racer for racer, won in zip(racers, answered, strict=True) if won]


def claims_of(racer: Person) -> str:
    """Which refresh token it is: by its number, since a text can be signed twice."""
    return str(parts_of(racer.refresh_token or "")[1]["jti"])
