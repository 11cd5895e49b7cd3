"""What if each guess says that it comes from somewhere else?"""

from __future__ import annotations

import secrets

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.logins.doors import WRONG, was_judged
from lab.attacks.scene import Scene
from lab.attacks.times import NETWORK_LIMIT as LIMIT
from lab.attacks.times import STRICT

GUESSES = 8


class ForgeTheAddress(Attack):
    """Anybody can write `X-Forwarded-For`."""

    key = "forge-the-address"
    title = "Guess with another X-Forwarded-For each time"
    group = Group.LOGIN
    catalogue = ("A57",)
    story = (
        f"A network may try {LIMIT} passwords here. Mallory tries one for each of {GUESSES} "
        "usernames, and each time names another address as hers."
    )
    precondition = "Some usernames."
    expected = verdicts()
    environment = STRICT
    alone = True

    def run(self, scene: Scene) -> Outcome:
        judged = 0
        for number in range(GUESSES):
            mallory = scene.client("mallory", f"somebody-{secrets.token_hex(3)}")
            header = {"X-Forwarded-For": f"198.51.100.{number}"}
            body = {"username": mallory.username, "password": WRONG}
            answer = mallory.call(
                f"Guess {number + 1}, from 'another' address.",
                "POST",
                "login/",
                body,
                headers=header,
            )
            judged += was_judged(answer)
        if judged > LIMIT:
            return scene.succeeds("A header that anybody can write decided whom the limit counts.")
        return scene.stopped(
            "The header is read behind a proxy of ours only. The address is the connection's."
        )
