"""What follows from the figures of a section? Sentences that are made of its rows, and stand on it.

A section that has none lets its tables speak.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lab.benchmark import crossover, servers
from lab.benchmark.rows import Row

OF_SECTION: dict[str, Callable[[Sequence[Row]], list[str]]] = {
    "crossover": crossover.sentences,
    "servers": servers.sentences,
}


def sentences(section: str, rows: Sequence[Row]) -> list[str]:
    say = OF_SECTION.get(section)
    return say(rows) if say else []
