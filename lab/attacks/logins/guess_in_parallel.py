"""How many passwords are tried, if all of them are sent at the same moment?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.logins.doors import WRONG, was_judged
from lab.attacks.scene import Scene
from lab.attacks.times import ACCOUNT_LIMIT as LIMIT

GUESSES = 20


class GuessInParallel(Attack):
    """DRF's throttles let 40 of 40 simultaneous logins through a limit of 5."""

    key = "guess-in-parallel"
    title = "Guess passwords, all at the same moment"
    group = Group.LOGIN
    catalogue = ("A56",)
    story = (
        f"Mallory sends {GUESSES} guesses for ada's password at once, so that all of them are "
        f"counted before any is. The limit is {LIMIT}."
    )
    precondition = "A username."
    expected = verdicts()

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        guessers = [scene.client("mallory", ada.username) for _ in range(GUESSES)]
        start = Barrier(GUESSES)
        for guesser in guessers:
            guesser.fetch_csrf_token()

        def guess(number: int) -> bool:
            start.wait()
            return was_judged(guessers[number].log_in("One of many guesses.", f"{WRONG}{number}"))

        with ThreadPoolExecutor(GUESSES) as threads:
            judged = sum(threads.map(guess, range(GUESSES)))
        if judged > LIMIT:
            return scene.succeeds(f"{judged} of {GUESSES} guesses were looked at; {LIMIT} may be.")
        guessers[0].log_in("One more.", WRONG)
        return scene.stopped(
            f"{judged} of {GUESSES} were looked at. Each attempt is counted before its password is "
            "hashed, by an operation of Redis that cannot be overtaken."
        )
