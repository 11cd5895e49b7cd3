"""What is one measured figure? A row: what was measured, of whom, and under which conditions.

A report is a list of rows, and all that it shows (tables, charts, comparisons, checks) is read
from them. Nothing that is shown is not in a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from math import isfinite
from statistics import median
from typing import Any

# The unit of a figure that was not timed because it is set: what was revoked goes on until `exp`.
SECONDS_UNTIL_EXP = "s until exp"


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

    def __post_init__(self) -> None:
        """Raises `ValueError` where nothing was measured, or something that is no number."""
        if not self.values or not all(isfinite(value) for value in self.values):
            raise ValueError(f"{self.measure} of {self.subject} is no figure: {self.values}")

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
        """Raises `TypeError` or `ValueError` for anything that is not a row."""
        row = cls(**values)
        names = (row.measure, row.subject, row.unit, *row.parameters, *row.parameters.values())
        if not all(type(name) in (str, int, float) for name in names):
            raise TypeError(f"{values} is no row")
        return row


def find(
    rows: Iterable[Row], measure: str, subject: str, /, **parameters: float | str
) -> Row | None:
    """The first row of that measure and subject that was varied so; others of it may be as well."""
    for row in rows:
        if (row.measure, row.subject) == (measure, subject) and (
            parameters.items() <= row.parameters.items()
        ):
            return row
    return None


def of_whoami(rows: Iterable[Row]) -> list[Row]:
    """Without those of other calls; a row that names no call is one of whoami."""
    return [row for row in rows if row.parameters.get("call", "whoami") == "whoami"]
