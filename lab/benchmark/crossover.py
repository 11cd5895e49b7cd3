"""At which distance of Redis does which design win? Said in sentences, from the rows alone.

A floor competes with nobody: it checks no credential.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from lab.benchmark import figures
from lab.benchmark.rows import Row
from lab.benchmark.subjects import FLOORS, place

ONCE = "Some of it was measured once, so that its noise is not known: do not lean on it."
DISTANCE = "redis_milliseconds"
# Who would choose the one might choose the other: what either pays for that, Redis decides.
PAIRS = (
    ("session-redis", "session-database"),
    ("session-redis", "session-push"),
    ("session-redis", "jwt-lookup"),
    ("jwt-lookup", "jwt-expiry"),
    ("jwt-lookup", "jwt-push"),
)


def sentences(rows: Iterable[Row]) -> list[str]:
    """Who wins from where on, who overtakes whom, what each millisecond costs each of them."""
    measured = sorted(
        (row for row in rows if row.measure == "crossover" and competes(row)),
        key=lambda row: (distance(row), place(row.subject)),
    )
    by_distance = [list(found) for _, found in groupby(measured, key=distance)]
    compared = [found for found in by_distance if len(found) > 1]
    if not compared:
        return []
    once = [ONCE] if any(len(row.values) == 1 for row in measured) else []
    return [
        *once,
        *who_wins(compared),
        *who_overtakes(measured),
        *what_distance_costs(measured),
    ]


def competes(row: Row) -> bool:
    return row.subject not in FLOORS and isinstance(row.parameters.get(DISTANCE), int | float)


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
    first, last = (away(stretch[end][0]) for end in (0, -1))
    return f"With Redis {first if first == last else f'{first} to {last}'} ms away"


def winning(subjects: Sequence[str], compared: int) -> str:
    if len(subjects) == 1:
        return f"{subjects[0]} is fastest"
    if len(subjects) == compared:
        return f"none is faster than another beyond the noise ({listed(subjects)})"
    return f"{listed(subjects)} are fastest, and cannot be told apart"


def listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def who_overtakes(measured: Sequence[Row]) -> Iterable[str]:
    """A sentence for each pair of which both were measured, at more than one distance."""
    for pair in PAIRS:
        one, other = ({distance(r): r for r in measured if r.subject == name} for name in pair)
        race = [(one[there], other[there]) for there in one if there in other]
        if len(race) > 1:
            yield f"{overtaking(race)}."


def overtaking(race: Sequence[tuple[Row, Row]]) -> str:
    """`race`: both at each distance. Only where they can be told apart is one of them ahead."""
    decided = [rows for rows in race if figures.are_apart(*rows)]
    course = f"from {away(race[0][0])} to {away(race[-1][0])} ms"
    if not decided:
        names = listed([row.subject for row in race[0]])
        return f"{names} cannot be told apart {course}: neither overtakes the other"
    changes = [
        f"{ahead(after).subject} overtakes {ahead(before).subject} at about "
        f"{crossing(before, after):.2g} ms (between {away(before[0])} and {away(after[0])} ms)"
        for before, after in pairwise(decided)
        if ahead(before).subject != ahead(after).subject
    ]
    if changes:
        return "; ".join(changes)
    leader = ahead(decided[0])
    (follower,) = (row for row in decided[0] if row is not leader)
    level = [away(rows[0]) for rows in race if rows not in decided]
    but = f"; at {listed(level)} ms they cannot be told apart" if level else ""
    return f"{leader.subject} is faster than {follower.subject} {course}, never overtaken{but}"


def ahead(rows: tuple[Row, Row]) -> Row:
    return min(rows, key=lambda row: row.median)


def crossing(before: tuple[Row, Row], after: tuple[Row, Row]) -> float:
    """The distance at which straight lines between the medians cross."""
    start, end = (one.median - other.median for one, other in (before, after))
    near, far = distance(before[0]), distance(after[0])
    return near + (far - near) * start / (start - end)


def away(row: Row) -> str:
    return f"{distance(row):g}"


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
    return f"{figures.three_figures(row.median)} {row.unit} at {away(row)} ms"
