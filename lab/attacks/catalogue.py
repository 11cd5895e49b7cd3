"""Which attacks are there? All of them, in the order of the matrix; nothing is found by magic."""

from __future__ import annotations

from lab.attacks.attack import Attack
from lab.attacks.forged.change_the_subject import ChangeTheSubject
from lab.attacks.stolen.use_after_logout import UseAfterLogout

ATTACKS: tuple[Attack, ...] = (
    # forged tokens
    ChangeTheSubject(),
    # stolen credentials
    UseAfterLogout(),
)


def attack(key: str) -> Attack:
    """The attack of that key; raises `StopIteration` if there is none."""
    return next(attack for attack in ATTACKS if attack.key == key)
