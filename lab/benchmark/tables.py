"""Which tables does a report have? Terminal, HTML and Markdown show these, and so the same.

Every row of a report is in one of them: what is not foreseen in `measures.py` is listed last.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab.benchmark import figures
from lab.benchmark.measures import BY_KEY, GROUPS, Group
from lab.benchmark.rows import SECONDS_UNTIL_EXP, Row, of_whoami
from lab.benchmark.subjects import SUBJECTS, place, subject

NOTHING = "-"  # was not measured
SUMMARY = (
    "requests_per_second",
    "latency_p95",
    "sql_statements",
    "redis_commands",
    "times_floor",
    "time_to_revoke",
)
Column = tuple[str, float | str | None]  # a measure, and the value of what it is varied across
Line = tuple[str, tuple[tuple[str, float | str], ...]]  # a subject, and what else was varied


@dataclass(frozen=True)
class Table:
    """`columns` head the cells, the first of them the lines; every cell is text."""

    title: str
    note: str
    columns: list[str]
    lines: list[list[str]]


@dataclass(frozen=True)
class Section:
    key: str
    title: str
    about: str
    rows: list[list[Row]]  # of each table
    tables: list[Table]


def sections(rows: Sequence[Row]) -> list[Section]:
    """Those of which anything was measured, and one more for what nobody foresaw."""
    found = [section(group, rows) for group in GROUPS]
    other = [row for row in rows if row.measure not in BY_KEY]
    if other:
        table = plain_table(other)
        found.append(Section("other", "What else was measured", "", [other], [table]))
    return [section for section in found if section.tables]


def section(group: Group, rows: Sequence[Row]) -> Section:
    parts = [[row for row in rows if row.measure in measures] for measures in group.tables]
    parts = [part for part in parts if part]
    tables = [table(part) for part in parts]
    return Section(group.key, group.title, group.about, parts, tables)


def table(rows: list[Row]) -> Table:
    """A line for each subject, a column for each measure and each value it is varied across."""
    columns, lines = columns_of(rows), with_sharers(lines_of(rows), rows)
    units = {column: unit_of(rows, column) for column in columns}
    measures = list(dict.fromkeys(column[0] for column in columns))
    shared = set(units.values())
    is_of_one = len(measures) == len(shared) == 1 and None not in {value for _, value in columns}
    return Table(
        title=heading((measures[0], None), shared.pop()) if is_of_one else "",
        note=note(rows),
        columns=["", *(heading(column, units[column], is_of_one) for column in columns)],
        lines=[
            [name_of(line), *(cell(rows, line, column, units[column]) for column in columns)]
            for line in lines
        ],
    )


def plain_table(rows: list[Row]) -> Table:
    """Each row for itself, with the words that it was measured under."""
    columns = ["subject", "measure", "varied", "figure"]
    lines = []
    for row in rows:
        varied = figures.varied(row) or NOTHING
        lines.append([row.subject, row.measure, varied, figures.with_unit(row)])
    return Table("", note(rows), columns, lines)


def column_of(row: Row) -> Column:
    across = BY_KEY[row.measure].across
    return row.measure, row.parameters.get(across)


def line_of(row: Row) -> Line:
    across = BY_KEY[row.measure].across
    return row.subject, tuple(pair for pair in row.parameters.items() if pair[0] != across)


def columns_of(rows: Iterable[Row]) -> list[Column]:
    measures = list(BY_KEY)

    def order(column: Column) -> tuple[int, float, str]:
        return measures.index(column[0]), figures.as_number(column[1]), str(column[1])

    return sorted({column_of(row) for row in rows}, key=order)


def lines_of(rows: Iterable[Row]) -> list[Line]:
    """In the order of the subjects; what else was varied keeps the order of measuring."""
    return sorted(dict.fromkeys(line_of(row) for row in rows), key=lambda line: place(line[0]))


def with_sharers(lines: list[Line], rows: Iterable[Row]) -> list[Line]:
    """And those of whom nothing was measured because it is another's: they are told of it."""
    if not all(BY_KEY[row.measure].is_shared for row in rows):
        return lines
    here = {key for key, _ in lines}
    sharing: list[Line] = [(each.key, ()) for each in SUBJECTS if each.keeps_as in here]
    return sorted(dict.fromkeys([*lines, *sharing]), key=lambda line: place(line[0]))


def name_of(line: Line) -> str:
    subject, varied = line
    return ", ".join([subject, *(figures.parameter(*pair) for pair in varied)])


def unit_of(rows: Iterable[Row], column: Column) -> str:
    """The unit of the whole column; empty where its rows have more than one."""
    units = {row.unit for row in rows if column_of(row) == column} - {SECONDS_UNTIL_EXP}
    return units.pop() if len(units) == 1 else ""


def heading(column: Column, unit: str, title_says_it: bool = False) -> str:
    """`Latency, median, 10 clients (ms)`, or ` 10 clients` below a title that says the rest."""
    measure, value = column
    varied = "" if value is None else figures.parameter(BY_KEY[measure].across, value)
    if varied and title_says_it:
        return varied
    words = ", ".join(filter(None, (figures.title(measure), varied)))
    says_its_unit = BY_KEY[measure].is_counted or unit.lower() in words.lower()
    return words if says_its_unit else f"{words} ({unit})"


def cell(rows: Iterable[Row], line: Line, column: Column, unit: str) -> str:
    here = [row for row in rows if line_of(row) == line and column_of(row) == column]
    said = [
        figures.with_spread(row) if row.unit == unit else figures.with_unit(row) for row in here
    ]
    return "; ".join(said) or shared_with(rows, line, column) or NOTHING


def shared_with(rows: Iterable[Row], line: Line, column: Column) -> str:
    """Whose figure it is as well, where it was measured for all who share a store."""
    other = subject(line[0]).keeps_as
    is_there = any(row.subject == other and column_of(row) == column for row in rows)
    return f"as {other}" if BY_KEY[column[0]].is_shared and is_there else ""


def note(rows: Iterable[Row]) -> str:
    """How often was measured, and so what stands in brackets."""
    counts = sorted({len(row.values) for row in rows})
    if counts == [1]:
        return "Measured once."
    often = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"Median of {often} repetitions (lowest-highest)."


def summary(rows: Sequence[Row]) -> Table:
    """The one table for who reads no other: a line for each subject, the main measures.

    What is varied stands at its most: as many clients, and as many workers, as were measured.
    """
    whoami = of_whoami(rows)
    picked = [row for row in whoami if row.measure in SUMMARY and is_at_its_most(row, whoami)]
    return table(picked) if picked else Table("", "Nothing was measured.", [""], [])


def is_at_its_most(row: Row, rows: Iterable[Row]) -> bool:
    across = BY_KEY[row.measure].across
    values = [
        r.parameters[across] for r in rows if r.measure == row.measure and across in r.parameters
    ]
    return not values or row.parameters.get(across) == max(values, key=figures.as_number)
