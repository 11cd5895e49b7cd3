"""What is one measured figure? A row: what was measured, of whom, and under which conditions.

A report is a list of rows, and all that it shows (tables, charts, comparisons, checks) is read
from them. Nothing that is shown is not in a row.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Row:
    """One figure. `values` are its repetitions, raw, in `unit`; what was counted has one.

    `measure`: "requests_per_second", "latency_p95", "redis_commands", …
    `subject`: whose figure it is: a strategy's key, or a peer's name.
    `parameters`: what was varied: `{"clients": 10}`; empty if nothing was.
    """

    measure: str
    subject: str
    unit: str
    values: list[float]
    parameters: dict[str, int | float | str] = field(default_factory=dict)

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest repetition."""
        return min(self.values), max(self.values)

    def encode(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def decode(cls, values: dict[str, Any]) -> Row:
        """Raises `TypeError` for anything that is not a row."""
        return cls(**values)
