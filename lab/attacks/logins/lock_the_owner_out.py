"""Can an attacker who knows a username lock its owner out?"""

from __future__ import annotations

from accounts.throttling import limits
from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.held import source_of
from lab.attacks.logins.doors import WRONG, was_judged
from lab.attacks.scene import Scene
from lab.attacks.times import ACCOUNT_LIMIT as LIMIT


class LockTheOwnerOut(Attack):
    """A limit on the account alone is a weapon against its owner."""

    key = "lock-the-owner-out"
    title = "Use up the owner's login attempts"
    group = Group.LOGIN
    catalogue = ("A59",)
    story = (
        "Mallory guesses until ada's account takes no more attempts. Ada, who has logged in from "
        "her browser before, wants to log in now."
    )
    precondition = "A username."
    expected = verdicts()

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in("Ada logs in, some day.")
        ada.leaves("And logs out.")
        mallory = scene.client("mallory", ada.username)
        for number in range(LIMIT + 1):
            answer = mallory.log_in("A guess.", f"{WRONG}{number}")
        burnt = not was_judged(answer)
        back = ada.log_in("Ada logs in, from her browser.", ada.password)
        if not back.is_success:
            return scene.succeeds("Ada is locked out, by somebody who only knows her name.")
        assert burnt, "the attempts were not used up"
        return scene.stopped(
            "A browser that the account knows has attempts of its own, which no stranger uses up.",
            held=source_of(limits, "device = known_device"),
        )
