"""At which distance of Redis does which design win? Said in sentences, from the rows alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from lab.benchmark import figures
from lab.benchmark.rows import Row
from lab.benchmark.subjects import place

ONCE = "Some of it was measured once, so that its noise is not known: do not lean on it."
DISTANCE = "redis_milliseconds"


def sentences(rows: Iterable[Row]) -> list[str]:
    """Who wins from where on, then what each millisecond of distance costs each of them."""
    measured = sorted(
        (row for row in rows if row.measure == "crossover" and is_placed(row)),
        key=lambda row: (distance(row), place(row.subject)),
    )
    by_distance = [list(found) for _, found in groupby(measured, key=distance)]
    compared = [found for found in by_distance if len(found) > 1]
    if not compared:
        return []
    once = [ONCE] if any(len(row.values) == 1 for row in measured) else []
    return [*once, *who_wins(compared), *what_distance_costs(measured)]


def is_placed(row: Row) -> bool:
    return isinstance(row.parameters.get(DISTANCE), int | float)


def distance(row: Row) -> float:
    return float(row.parameters[DISTANCE])


def who_wins(compared: Sequence[Sequence[Row]]) -> Iterable[str]:
    """Neighbouring distances with the same winners are one sentence."""
    for subjects, found in groupby(compared, key=winners):
        stretch = list(found)
        yield f"{where(stretch)}, {winning(subjects, len(stretch[0]))}."


def winners(found: Sequence[Row]) -> tuple[str, ...]:
    """The fastest, and all that cannot be told apart from it."""
    best = min(found, key=lambda row: row.median)
    return tuple(row.subject for row in found if row is best or not figures.are_apart(row, best))


def where(stretch: Sequence[Sequence[Row]]) -> str:
    first, last = (distance(stretch[end][0]) for end in (0, -1))
    if first == last:
        return f"With Redis {figures.number(first)} ms away"
    return f"With Redis {figures.number(first)} to {figures.number(last)} ms away"


def winning(subjects: Sequence[str], compared: int) -> str:
    if len(subjects) == 1:
        return f"{subjects[0]} is fastest"
    if len(subjects) == compared:
        return f"none is faster than another beyond the noise ({listed(subjects)})"
    return f"{listed(subjects)} are fastest, and cannot be told apart"


def listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def what_distance_costs(measured: Sequence[Row]) -> Iterable[str]:
    """From the nearest to the farthest: as many milliseconds as there are round trips."""
    indifferent = []
    for subject in dict.fromkeys(row.subject for row in measured):
        own = [row for row in measured if row.subject == subject]
        near, far = own[0], own[-1]
        if distance(near) == distance(far):
            continue
        if not figures.are_apart(near, far):
            indifferent.append(subject)
            continue
        cost = (far.median - near.median) / (distance(far) - distance(near))
        yield (
            f"Each millisecond of distance adds {cost:.2f} {near.unit} to {subject}: "
            f"{at(near)}, {at(far)}."
        )
    if indifferent:
        yield f"Distance makes no difference beyond the noise to {listed(indifferent)}."


def at(row: Row) -> str:
    return f"{figures.three_figures(row.median)} {row.unit} at {figures.number(distance(row))} ms"
