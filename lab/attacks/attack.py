"""What is an attack, and what comes of one? A story, real requests, a verdict, and its reason."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from lab.strategies import STRATEGIES

if TYPE_CHECKING:
    from lab.attacks.scene import Scene


class Verdict(StrEnum):
    """What came of an attack on one strategy."""

    SUCCEEDS = "succeeds"
    STOPPED = "stopped"
    DOES_NOT_APPLY = "does not apply"


def of_flow(key: str) -> tuple[str, ...]:
    return tuple(row.key for row in STRATEGIES if row.variant_of == key)


# Keys of strategies, by what their clients hold. What is attacked is whatever is registered: a new
# strategy is expected to stop each attack that does not name it.
SESSIONS = of_flow("sessions")
TOKENS = of_flow("jwt")


def verdicts(
    *, succeeds: Collection[str] = (), does_not_apply: Collection[str] = ()
) -> dict[str, Verdict]:
    """What is expected of each strategy: those that are not named stop the attack.

    A weakened variant is attacked where it is named, and nowhere else.
    """
    expected = dict.fromkeys((row.key for row in STRATEGIES), Verdict.STOPPED)
    expected |= dict.fromkeys(succeeds, Verdict.SUCCEEDS)
    return expected | dict.fromkeys(does_not_apply, Verdict.DOES_NOT_APPLY)


class Group(StrEnum):
    """What kind of attack it is: the sections of the matrix."""

    FORGED = "forged tokens"
    STOLEN = "stolen credentials"
    REUSE = "refresh reuse and races"
    BROWSER = "browser attacks"
    LOGIN = "login attacks"
    STORE = "store attacks"


@dataclass(frozen=True)
class Exchange:
    """One request that was really sent, and its answer. Secrets in it are shortened, never whole.

    `who` sent it: "ada", "grace", or "mallory", who attacks. `note` says what it was for, in one
    sentence. `status` is 0 where no answer came. `cause` is why the server refused it, by its own
    log: the precise word that no client is told.
    """

    who: str
    method: str
    url: str
    note: str
    status: int
    request_headers: tuple[tuple[str, str], ...] = ()
    request_body: str = ""
    response_headers: tuple[tuple[str, str], ...] = ()
    response_body: str = ""
    cause: str = ""


@dataclass(frozen=True)
class Source:
    """A place in our running code: what held, or what was missing. `path` is from the top level."""

    path: str
    line: int
    name: str


@dataclass(frozen=True)
class Outcome:
    """What came of one attack on one strategy.

    `lesson` is one or two sentences for a learner; `evidence` is what went over the wire, in
    order; `held` is the code that stopped the attack, None where nothing did.
    """

    verdict: Verdict
    lesson: str
    evidence: tuple[Exchange, ...] = ()
    held: Source | None = None


class Attack(ABC):
    """One attack. A subclass stands in a file of its own, named after what the attacker does.

    `catalogue` names its rows in the project's list of attacks, such as "A24". `expected` has the
    verdict for each strategy's key; CI runs all of them and fails at the first that differs.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    group: ClassVar[Group]
    catalogue: ClassVar[tuple[str, ...]]
    story: ClassVar[str]
    precondition: ClassVar[str]
    expected: ClassVar[dict[str, Verdict]]
    needs_browser: ClassVar[bool] = False
    environment: ClassVar[Mapping[str, str]] = {}
    """Settings of the server that it needs, such as a short lifetime, by their variables."""
    alone: ClassVar[bool] = False
    """Whether it disturbs everybody, as who stalls Redis does: then it runs with nobody beside."""

    @abstractmethod
    def run(self, scene: Scene) -> Outcome:
        """Attack the strategy of the scene, and say what came of it."""
