"""What is a point of the audit? A few checks, what each saw, and what a failure would mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from lab.proofs import Proof

if TYPE_CHECKING:
    from lab.audit.scene import Scene

AREAS = ("identifier", "expiry", "storage", "transport", "payload", "revocation")


class Status(StrEnum):
    """`PARTLY` and `UNSEEN` are no pass: something, or all, cannot be seen from where we stand."""

    PASS = "pass"  # noqa: S105  # a word, not a password
    FAIL = "fail"
    PARTLY = "seen in part"
    UNSEEN = "cannot be seen from outside"


class Unseen(Exception):
    """Raised by a check that cannot look from where it stands; the text says why not."""


@dataclass(frozen=True)
class Found:
    """`asked`: the request that was sent, or the setting; `answer`: what came back. No secrets."""

    holds: bool
    asked: str
    answer: str


Look = Callable[["Scene"], Found]


@dataclass(frozen=True)
class Check:
    """`holds` says what must be so; `otherwise` what it means for somebody if it is not."""

    holds: str
    otherwise: str
    look: Look


def check(holds: str, otherwise: str) -> Callable[[Look], Check]:
    """Make a check of a function."""
    return lambda look: Check(holds, otherwise, look)


@dataclass(frozen=True)
class Point:
    """One of the twelve: an area of a flow. `title` is the question that it answers.

    `deeper` is where somebody reads on.
    """

    flow: str
    area: str
    title: str
    checks: tuple[Check, ...]
    deeper: tuple[Proof, ...]

    @property
    def key(self) -> str:
        return f"{self.flow}-{self.area}"


@dataclass(frozen=True)
class Seen:
    """What came of one check; the keys of `audit --json` are these names."""

    status: Status
    holds: str
    asked: str
    answer: str
    otherwise: str


@dataclass(frozen=True)
class Result:
    """What came of one point."""

    key: str
    flow: str
    area: str
    title: str
    status: Status
    checks: tuple[Seen, ...]


def overall(statuses: Iterable[Status]) -> Status:
    """One failure fails all; what nobody has seen is never a pass."""
    seen = set(statuses)
    if Status.FAIL in seen:
        return Status.FAIL
    if seen <= {Status.UNSEEN}:
        return Status.UNSEEN
    return Status.PARTLY if Status.UNSEEN in seen else Status.PASS
