"""What happened during one request? Written down while it runs, by whoever it asks.

`current` holds the recording of the request under way, or None, which is nearly always.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from lab.benchmark.costs import FRAMES

now = time.perf_counter_ns
Interval = tuple[int, int]


@dataclass
class Step:
    """One thing that was done, in nanoseconds of `perf_counter_ns`; `ended` is 0 until it is."""

    lane: str
    text: str
    began: int
    ended: int = 0


@dataclass
class Recording:
    """The steps of one request, in the order in which they began."""

    began: int = field(default_factory=now)
    steps: list[Step] = field(default_factory=list)
    authentication: list[Interval] = field(default_factory=list)
    waiting: dict[int, list[Step | None]] = field(default_factory=dict)
    """By connection: the commands whose replies have not come, in the order of the replies."""

    def begin(self, lane: str, text: str) -> Step:
        step = Step(lane, text, now())
        self.steps.append(step)
        return step

    def of(self, lane: str) -> list[Step]:
        return [step for step in self.steps if step.lane == lane]

    def statement(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        """Write down an SQL statement: Django calls this in its place (`execute_wrapper`).

        Its text with placeholders, never `params`. What frames a transaction is left out, as
        everywhere in the comparison: its number depends on who sends the request.
        """
        if sql.startswith(FRAMES):
            return execute(sql, params, many, context)
        step = self.begin("database", sql)
        try:
            return execute(sql, params, many, context)
        finally:
            step.ended = now()


current: ContextVar[Recording | None] = ContextVar("recording", default=None)


def microseconds(intervals: Iterable[Interval]) -> int:
    """How long at least one of them was under way; commands of one pipeline wait together."""
    total = until = 0
    for began, ended in sorted(intervals):
        total += max(0, ended - max(began, until))
        until = max(until, ended)
    return round(total / 1000)
