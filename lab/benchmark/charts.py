"""Where does each bar and line stand? The geometry of the charts; templates draw them as SVG.

Widths are percent of the chart's and heights are pixels, so that a chart fits a telephone and its
words keep their size. The words of every chart stand in a table as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor, log10

from lab.benchmark import figures
from lab.benchmark.measures import BY_KEY, Measure
from lab.benchmark.rows import SECONDS_UNTIL_EXP, Row
from lab.benchmark.subjects import Subject, place, subject
from lab.benchmark.tables import heading, name_of

BAR_HEIGHT = 38
LINES_HEIGHT, TOP, BOTTOM = 240, 12, 34
LEFT, RIGHT = 15, 4  # percent of the width: the words of the axis, and half of the last tick
TICKS = 4
LEAST_GAP = 11  # percent between two words below the axis, so that they can be read
DASHES = ("none", "7 4", "2 4", "10 3 2 3", "14 5", "1 6")


@dataclass(frozen=True)
class Bar:
    """`top`: pixels. `width`, `low`, `high`: percent; `target`: percent or "". `is_endless`: runs
    off the chart, because it ends with `exp` and was not waited for."""

    name: str
    words: str
    subject: Subject
    top: int
    width: str
    low: str
    high: str
    target: str
    is_endless: bool


@dataclass(frozen=True)
class Bars:
    title: str
    height: int
    bars: list[Bar]
    has_targets: bool


@dataclass(frozen=True)
class Point:
    """`x`, `next_x`: percent; the others pixels. The last point of a line leads nowhere."""

    x: str
    y: str
    low: str
    high: str
    next_x: str = ""
    next_y: str = ""


@dataclass(frozen=True)
class Series:
    name: str
    subject: Subject
    dash: str
    points: list[Point]


@dataclass(frozen=True)
class Lines:
    title: str
    height: int
    floor: int
    series: list[Series]
    x_ticks: list[tuple[str, str]]  # percent, words
    y_ticks: list[tuple[str, str]]  # pixels, words
    x_title: str


def charts(rows: Sequence[Row], targets: dict[str, float]) -> list[Bars | Lines]:
    """Those of one table. `targets`: what a subject's bar should not pass, in times the floor."""
    drawn: list[Bars | Lines] = []
    for key in dict.fromkeys(row.measure for row in rows):
        measure = BY_KEY.get(key)
        if measure is not None and measure.chart:
            own = [row for row in rows if row.measure == key]
            drawn += charts_of(measure, own, targets if key == "times_floor" else {})
    return drawn


def charts_of(
    measure: Measure, rows: Sequence[Row], targets: dict[str, float]
) -> Iterable[Bars | Lines]:
    if measure.chart == "lines" and is_varied(measure, rows):
        facets = dict.fromkeys(str(row.parameters.get(measure.facet, "")) for row in rows)
        for facet in facets:
            yield lines(
                measure,
                [row for row in rows if str(row.parameters.get(measure.facet, "")) == facet],
                facet,
            )
        return
    columns = dict.fromkeys(row.parameters.get(measure.across) for row in rows)
    for value in columns:
        yield bars(
            measure, [row for row in rows if row.parameters.get(measure.across) == value], targets
        )


def is_varied(measure: Measure, rows: Iterable[Row]) -> bool:
    """A line needs two places, and an axis of numbers."""
    values = {row.parameters.get(measure.across) for row in rows}
    return len(values) > 1 and all(isinstance(value, int | float) for value in values)


def line_name(measure: Measure, row: Row) -> str:
    left_out = (measure.across, measure.facet)
    varied = tuple(pair for pair in row.parameters.items() if pair[0] not in left_out)
    return name_of((row.subject, varied))


def bars(measure: Measure, rows: Sequence[Row], targets: dict[str, float]) -> Bars:
    ordered = sorted(rows, key=lambda row: place(row.subject))
    timed = [row for row in ordered if row.unit != SECONDS_UNTIL_EXP]
    asked = {key: most for key, most in targets.items() if key in {row.subject for row in rows}}
    top = max([row.spread[1] for row in timed] + list(asked.values()), default=0) or 1
    drawn = [
        bar(measure, row, number * BAR_HEIGHT, top, asked.get(row.subject))
        for number, row in enumerate(ordered)
    ]
    column = (measure.key, rows[0].parameters.get(measure.across))
    head = heading(column, timed[0].unit if timed else "")
    return Bars(head, len(drawn) * BAR_HEIGHT, drawn, bool(asked))


def bar(measure: Measure, row: Row, top: int, highest: float, target: float | None) -> Bar:
    is_endless = row.unit == SECONDS_UNTIL_EXP
    low, high = row.spread
    return Bar(
        name=line_name(measure, row),
        words=figures.with_unit(row) if is_endless else figures.with_spread(row),
        subject=subject(row.subject),
        top=top,
        width="100" if is_endless else percent(row.median / highest),
        low=percent(low / highest),
        high=percent(high / highest),
        target="" if target is None else percent(target / highest),
        is_endless=is_endless,
    )


def lines(measure: Measure, rows: Sequence[Row], facet: str) -> Lines:
    values = sorted({float(row.parameters[measure.across]) for row in rows})
    top = nice(max(row.spread[1] for row in rows))
    x_of = places(values)
    series: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: place(row.subject)):
        series.setdefault(line_name(measure, row), []).append(row)
    title = ", ".join(filter(None, (heading((measure.key, None), rows[0].unit), facet)))
    return Lines(
        title=title,
        height=LINES_HEIGHT,
        floor=LINES_HEIGHT - BOTTOM,
        series=[
            one_line(name, own, number, measure, x_of, top)
            for number, (name, own) in enumerate(series.items())
        ],
        x_ticks=spaced([(x_of[value], figures.number(value)) for value in values]),
        y_ticks=[
            (pixels(top * step / TICKS, top), figures.number(top * step / TICKS))
            for step in range(TICKS + 1)
        ],
        x_title=figures.parameter(measure.across, "…"),
    )


def one_line(
    name: str,
    rows: Sequence[Row],
    number: int,
    measure: Measure,
    x_of: dict[float, float],
    top: float,
) -> Series:
    ordered = sorted(rows, key=lambda row: float(row.parameters[measure.across]))
    spots = [
        (
            f"{x_of[float(row.parameters[measure.across])]:.2f}",
            pixels(row.median, top),
            *(pixels(end, top) for end in row.spread),
        )
        for row in ordered
    ]
    points = [Point(*here, *after[:2]) for here, after in pairwise(spots)] + [Point(*spots[-1])]
    return Series(name, subject(rows[0].subject), DASHES[number % len(DASHES)], points)


def places(values: Sequence[float]) -> dict[float, float]:
    """Percent from the left: by powers of ten where the values span a hundred or more."""
    by_powers = values[0] > 0 and values[-1] / values[0] >= 100
    scaled = [log10(value) if by_powers else value for value in values]
    low, high = scaled[0], scaled[-1]
    room = 100 - LEFT - RIGHT
    return {
        value: LEFT + room * (scale - low) / (high - low)
        for value, scale in zip(values, scaled, strict=True)
    }


def spaced(ticks: Sequence[tuple[float, str]]) -> list[tuple[str, str]]:
    """Words that would overlap are left out; the first and the last always stand."""
    last = ticks[-1]
    kept = [ticks[0]]
    for tick in ticks[1:-1]:
        if tick[0] - kept[-1][0] >= LEAST_GAP and last[0] - tick[0] >= LEAST_GAP:
            kept.append(tick)
    return [(f"{x:.2f}", words) for x, words in [*kept, last]]


def nice(value: float) -> float:
    """Where an axis ends, so that a quarter of it is a round figure."""
    power = 10.0 ** floor(log10(value)) if value > 0 else 1.0
    ends = (step * power for step in (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 5, 6, 8))
    return next((end for end in ends if end >= value), 10 * power)


def percent(share: float) -> str:
    return f"{100 * min(share, 1):.2f}"


def pixels(value: float, top: float) -> str:
    return f"{TOP + (LINES_HEIGHT - BOTTOM - TOP) * (1 - value / top):.1f}"
