"""What will be measured, how often, and how long will it take? A list of steps, done in turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from lab.benchmark.rows import Row
from lab.benchmark.run.logins import Login
from lab.benchmark.run.servers import Server
from lab.benchmark.run.subjects import Subject
from lab.benchmark.run.wrk import Driver
from lab.staging.site import Project

# Until the servers of the site and of its peers answer, and until they have ended. What has to be
# installed first, once, is extra.
SETUP_SECONDS = 12
MARGIN_SECONDS = 60  # longer than any step drives with one login


@dataclass(frozen=True)
class Counts:
    """How often, and for how many seconds; what a run has too little of is noise.

    `peers_throughout`: are the peers measured as well where it takes long: while Redis is further
    away, in the process, and in their stores?
    """

    clients: tuple[int, ...]
    rounds: int
    seconds: float
    warm_up_seconds: float
    logins: int
    revocations: int
    watched_seconds: float
    distances: tuple[float, ...]  # milliseconds
    distance_rounds: int
    distance_seconds: float
    peers_throughout: bool
    floor_rounds: int
    live: tuple[int, ...]
    scale_rounds: int
    devices_of_a_user: tuple[int, ...]


FULL = Counts(
    clients=(1, 10, 50),
    rounds=5,
    seconds=2,
    warm_up_seconds=1,
    logins=20,
    revocations=10,
    watched_seconds=2,
    distances=(0, 0.25, 0.5, 1, 2, 5),
    distance_rounds=3,
    distance_seconds=1,
    peers_throughout=True,
    floor_rounds=100,
    live=(1, 1_000, 100_000, 1_000_000),
    scale_rounds=10,
    devices_of_a_user=(1, 2),
)
QUICK = Counts(
    clients=(10,),
    rounds=1,
    seconds=0.25,
    warm_up_seconds=0,
    logins=1,
    revocations=1,
    watched_seconds=0.2,
    distances=(0, 2),
    distance_rounds=1,
    distance_seconds=0.15,
    peers_throughout=False,
    floor_rounds=20,
    live=(1, 2_000),
    scale_rounds=1,
    devices_of_a_user=(2,),
)


class Readings:
    """What was measured so far. Rows are made of it at any time, at an interruption too."""

    def __init__(self) -> None:
        self.values: dict[
            tuple[str, str, str, tuple[tuple[str, int | float | str], ...]], list[float]
        ] = {}

    def add(
        self, measure: str, subject: str, unit: str, value: float, **parameters: int | float | str
    ) -> None:
        """One more repetition of a figure."""
        key = (measure, subject, unit, tuple(parameters.items()))
        self.values.setdefault(key, []).append(value)

    def rows(self) -> list[Row]:
        return [
            Row(measure, subject, unit, values, dict(parameters))
            for (measure, subject, unit, parameters), values in self.values.items()
        ]


@dataclass(frozen=True)
class Step:
    """One piece of work. `seconds`: about how long it takes on a machine that does nothing else."""

    label: str
    seconds: float
    run: Callable[[], None]


@dataclass
class Bench:
    """Everything that a measurement needs; it writes into `readings`."""

    servers: dict[str, Server]
    projects: dict[str, Project]
    subjects: tuple[Subject, ...]
    counts: Counts
    workers: int
    driver: Driver
    redis_url: str
    folder: Path
    stack: ExitStack
    """What is started during the run ends with it."""
    readings: Readings = field(default_factory=Readings)
    logins: dict[str, Login] = field(default_factory=dict)

    def login(self, subject: Subject) -> Login:
        """A login of that subject that goes on from step to step, made anew before it expires."""
        held = self.logins.get(subject.key)
        expires_at = held.expires_at() if held else 0
        if held is None or (expires_at is not None and expires_at < time.time() + MARGIN_SECONDS):
            held = self.logins[subject.key] = self.log_in(subject)
        return held

    def server(self, subject: Subject) -> Server:
        return self.servers[subject.server]

    def log_in(self, subject: Subject, server: str = "") -> Login:
        login = subject.login(self.servers[server or subject.server].url)
        login.prepare()
        login.log_in()
        return login


def interleaved(rounds: int, steps: Callable[[], Iterable[Step]]) -> list[Step]:
    """Everybody's turn comes once in each round, so that a machine that drifts does so for all."""
    return [step for _ in range(rounds) for step in steps()]
