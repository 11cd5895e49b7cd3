"""Can a request that is under way bring back what a logout has just ended?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.person import Person, must
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import NOTHING_TO_REFRESH, good

TRIALS = 3
WRITERS = 3


class WriteOverALogout(Attack):
    """Stock cache sessions: 788 of 5000 came back, because save is a GET and a SET."""

    key = "write-over-a-logout"
    title = "Write a session back while it is logged out"
    group = Group.STOLEN
    catalogue = ("A40",)
    story = (
        f"Mallory keeps {WRITERS} writes under way with her copy while ada logs out, so that one "
        f"of them may save what the logout has just deleted. {TRIALS} logins are tried so."
    )
    precondition = "A copy of the credential, and patience."
    expected = verdicts(does_not_apply=("jwt-naive",))

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        came_back = 0
        for _ in range(TRIALS):
            ada.log_in()
            if not ada.can_refresh:
                return scene.does_not_apply(NOTHING_TO_REFRESH)
            thieves = [scene.thief_of(ada) for _ in range(WRITERS)]
            race(ada, thieves)
            came_back += good(thieves[0].refreshes("The race is over. Mallory refreshes."))
        if came_back:
            return scene.succeeds(f"{came_back} of {TRIALS} logins were alive after their logout.")
        return scene.stopped("What is gone is never written again: a save changes what exists.")


def race(ada: Person, thieves: list[Person]) -> None:
    """A logout, and writes that are sent at the same moment."""
    start = Barrier(len(thieves) + 1)
    for each in (ada, *thieves):
        each.fetch_csrf_token()

    def write(thief: Person) -> None:
        start.wait()
        thief.call("A write is under way.", "PATCH", "me/", {"display_name": "Ada"})
        thief.refreshes("And a refresh.")

    def leave() -> None:
        start.wait()
        must(ada.leaves("Ada logs out."))

    with ThreadPoolExecutor(len(thieves) + 1) as threads:
        jobs = [threads.submit(write, thief) for thief in thieves]
        jobs.append(threads.submit(leave))
        for job in jobs:
            job.result()
