"""How is a figure said, and when are two of them different? In one way everywhere."""

from __future__ import annotations

from lab.benchmark.measures import BY_KEY, PARAMETER_WORDS
from lab.benchmark.rows import SECONDS_UNTIL_EXP, Row

LEAST_CHANGE = 0.05  # of the smaller one: less is nothing to act on, whatever the ranges say


def number(value: float) -> str:
    """What is whole stays so; else the three figures that matter."""
    return f"{value:,.0f}" if value == round(value) else three_figures(value)


def three_figures(value: float) -> str:
    """1,235 · 123 · 12.3 · 1.23 · 0.123 · 0.0123."""
    for least, places in ((100, 0), (10, 1), (1, 2), (0.1, 3)):
        if abs(value) >= least:
            return f"{value:,.{places}f}"
    return f"{value:.3g}"


def with_spread(row: Row) -> str:
    """`12.3 (11.9-13.0)`: the median, then the lowest and the highest repetition."""
    shown = number if all(value == round(value) for value in row.values) else three_figures
    middle, low, high = map(shown, (row.median, *row.spread))
    return middle if low == high else f"{middle} ({low}-{high})"


def plain(row: Row) -> str:
    """The median alone, in a sentence; the spread stands in the tables."""
    if row.unit == SECONDS_UNTIL_EXP:
        return f"{number(row.median)} s (until exp)"
    return f"{number(row.median)} {row.unit}".strip()


def with_unit(row: Row) -> str:
    if row.unit == SECONDS_UNTIL_EXP:
        return f"until exp: {with_spread(row)} s"
    return f"{with_spread(row)} {row.unit}".strip()


def as_number(value: float | str | None) -> float:
    """For putting values of parameters in order; words are all alike."""
    return value if isinstance(value, int | float) else 0


def parameter(name: str, value: float | str) -> str:
    is_whole = isinstance(value, int | float) and value == round(value)
    said = f"{value:,.0f}" if is_whole else str(value)
    words = PARAMETER_WORDS.get(name, f"{name} {{}}").format(said)
    return words.removesuffix("s") if said == "1" else words


def varied(row: Row) -> str:
    """`10 clients, rotation on`; empty where nothing was varied."""
    return ", ".join(parameter(*pair) for pair in row.parameters.items())


def title(measure: str) -> str:
    return BY_KEY[measure].title if measure in BY_KEY else measure


def can_be_told_apart(one: Row, other: Row) -> bool:
    """False where a time has no repetitions, and so no noise that is known."""
    return is_counted(one) or min(len(one.values), len(other.values)) > 1


def is_counted(row: Row) -> bool:
    return row.measure in BY_KEY and BY_KEY[row.measure].is_counted


def are_apart(one: Row, other: Row) -> bool:
    """Do they differ beyond the noise?

    Counts: any difference. Times: the ranges of their repetitions do not overlap, and the
    medians are more than `LEAST_CHANGE` apart.
    """
    if is_counted(one):
        return one.median != other.median
    (low, high), (other_low, other_high) = one.spread, other.spread
    overlap = low <= other_high and other_low <= high
    smaller, larger = sorted((one.median, other.median))
    return not overlap and larger - smaller > LEAST_CHANGE * smaller
