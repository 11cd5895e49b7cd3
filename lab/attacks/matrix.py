"""What does each attack come to, on each strategy? All cells, on as few stages as they need."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from lab.attacks.attack import Attack, Outcome, Verdict
from lab.attacks.browsers.chromium import chromium
from lab.attacks.scene import Scene
from lab.attacks.stage import Stage, staged
from lab.staging.processes import StageError
from lab.strategies import STRATEGIES, Strategy
from lab.weakened import WEAKENED

EVERY = (*STRATEGIES, *WEAKENED)
WEAK = frozenset(row.key for row in WEAKENED)
AT_ONCE = 4
"""Attacks on one stage at the same time. They wait for hashes, and for times that have to pass."""


@dataclass(frozen=True)
class Cell:
    """One attack on one strategy, by their keys."""

    attack: str
    strategy: str
    outcome: Outcome
    seconds: float


@dataclass(frozen=True)
class Difference:
    """A cell that did not come out as its attack says."""

    attack: Attack
    strategy: str
    expected: Verdict
    came: Verdict

    @property
    def meaning(self) -> str:
        if self.came is Verdict.SUCCEEDS and self.strategy in WEAK:
            return "a weak variant lost more than it says"
        if self.came is Verdict.SUCCEEDS:
            return "a sound strategy lost"
        if self.expected is Verdict.SUCCEEDS:
            return "a lesson no longer teaches"
        return "the attack is another one than it says"

    def __str__(self) -> str:
        return (
            f"{self.attack.key} on {self.strategy}: expected {self.expected.value!r}, "
            f"came {self.came.value!r}: {self.meaning}"
        )


def run_matrix(
    attacks: Sequence[Attack],
    strategies: Sequence[Strategy] = EVERY,
    done: Callable[[Cell], None] = lambda cell: None,
) -> list[Cell]:
    """Run every attack on every strategy that it speaks of, and return the cells in their order.

    `done` hears of each as it comes, from any thread. Raises `StageError`.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)
    order = pairs(attacks, strategies)
    found: dict[tuple[str, str], Cell] = {}

    def tell(cell: Cell) -> None:
        found[cell.attack, cell.strategy] = cell
        done(cell)

    stop = Event()
    groups = _by_stage(attacks)
    # From the inside: nobody is left who would start another browser when this one is ended.
    with (
        closing(chromium),
        _folder() as folder,
        ThreadPoolExecutor(max(1, len(groups))) as threads,
    ):
        jobs = [
            threads.submit(_run_group, group, strategies, folder / str(number), tell, stop)
            for number, group in enumerate(groups)
        ]
        try:
            wait(jobs, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()
        for job in jobs:
            job.result()
    return [found[attack.key, strategy.key] for attack, strategy in order]


def pairs(
    attacks: Sequence[Attack], strategies: Sequence[Strategy] = EVERY
) -> list[tuple[Attack, Strategy]]:
    """Which attack is tried on which strategy: all, but a weak variant only where it teaches."""
    return [(each, row) for each in attacks for row in strategies if row.key in each.expected]


def differences(attacks: Sequence[Attack], cells: Sequence[Cell]) -> list[Difference]:
    """The cells that came out otherwise than expected."""
    by_key = {attack.key: attack for attack in attacks}
    return [
        Difference(by_key[cell.attack], cell.strategy, expected, cell.outcome.verdict)
        for cell in cells
        if (expected := by_key[cell.attack].expected[cell.strategy]) is not cell.outcome.verdict
    ]


def _by_stage(attacks: Sequence[Attack]) -> list[list[Attack]]:
    """Attacks that can share a stage: the same settings, and nobody who must be alone."""
    groups: dict[object, list[Attack]] = {}
    for attack in attacks:
        groups.setdefault((tuple(sorted(attack.environment.items())), attack.alone), []).append(
            attack
        )
    return list(groups.values())


def _run_group(
    attacks: Sequence[Attack],
    strategies: Sequence[Strategy],
    folder: Path,
    tell: Callable[[Cell], None],
    stop: Event,
) -> None:
    folder.mkdir(mode=0o700)
    at_once = 1 if attacks[0].alone else AT_ONCE
    environment = attacks[0].environment
    with staged(folder, environment) as stage, ThreadPoolExecutor(at_once) as threads:
        jobs = [
            threads.submit(_run_cell, stage, attack, strategy, tell, stop)
            for attack, strategy in pairs(attacks, strategies)
        ]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            stop.set()
            raise


def _run_cell(
    stage: Stage, attack: Attack, strategy: Strategy, tell: Callable[[Cell], None], stop: Event
) -> None:
    if stop.is_set():
        return
    began = time.monotonic()
    try:
        if attack.alone:
            # Who is alone counts from nothing: what the one before did is not held against them.
            stage.redis().flushdb()
        with closing(Scene(stage, strategy)) as scene:
            outcome = attack.run(scene)
    except Exception as error:
        raise StageError(f"{attack.key} on {strategy.key} broke off: {error!r}") from error
    tell(Cell(attack.key, strategy.key, outcome, time.monotonic() - began))


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="authdemo-attacks-") as folder:
        yield Path(folder)
