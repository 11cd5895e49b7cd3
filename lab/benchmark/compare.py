"""What changed since an older report, beyond the noise? `--compare old.json` says it.

The rule stands in `figures.are_apart`, and is printed with every comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.benchmark import conditions, figures
from lab.benchmark.rows import Row

if TYPE_CHECKING:
    from lab.benchmark.report import Report

RULE = (
    "What is timed or weighed changed where the ranges of its repetitions do not overlap and the "
    f"medians are more than {figures.LEAST_CHANGE:.0%} apart; a count, where it is another. What "
    "was measured once in either report has no noise that is known, and is not judged."
)
Pair = tuple[Row, Row]


@dataclass(frozen=True)
class Comparison:
    """`conditions`: name, old words, new words, of those that differ. Pairs are (old, new)."""

    conditions: list[tuple[str, str, str]]
    changed: list[Pair]
    unchanged: list[Pair]
    not_judged: list[Pair]
    only_old: list[Row]
    only_new: list[Row]


def compare(old: Report, new: Report) -> Comparison:
    pairs, only_old, only_new = matched(old.rows, new.rows)
    told = [pair for pair in pairs if figures.can_be_told_apart(*pair)]
    changed = [pair for pair in told if figures.are_apart(*pair)]
    return Comparison(
        conditions=differing(old, new),
        changed=changed,
        unchanged=[pair for pair in told if pair not in changed],
        not_judged=[pair for pair in pairs if pair not in told],
        only_old=only_old,
        only_new=only_new,
    )


def matched(old: Iterable[Row], new: Iterable[Row]) -> tuple[list[Pair], list[Row], list[Row]]:
    before, after = {key(row): row for row in old}, {key(row): row for row in new}
    pairs = [(before[key], after[key]) for key in after if key in before]
    only_old = [row for name, row in before.items() if name not in after]
    only_new = [row for name, row in after.items() if name not in before]
    return pairs, only_old, only_new


def key(row: Row) -> tuple[str, str, str, tuple[tuple[str, float | str], ...]]:
    """A figure of another unit is another figure."""
    return row.measure, row.subject, row.unit, tuple(sorted(row.parameters.items()))


def differing(old: Report, new: Report) -> list[tuple[str, str, str]]:
    """The date differs always, and is no condition."""
    before, after = (dict(conditions.listed("", report.conditions)) for report in (old, new))
    names = dict.fromkeys([*before, *after])
    said = [
        (name, before.get(name, conditions.NOT_RECORDED), after.get(name, conditions.NOT_RECORDED))
        for name in names
    ]
    return [line for line in said if line[1] != line[2]]


def show(old: Report, new: Report, console: Console) -> None:
    """Print what differs in the conditions, the rule, and then what changed."""
    found = compare(old, new)
    console.print(f"[bold]{escape(new.made)} against {escape(old.made)}[/]")
    show_conditions(found, console)
    console.print(RULE)
    if found.changed:
        console.print(as_table(found.changed))
    else:
        console.print("Nothing changed beyond the noise.")
    console.print(
        f"Changed: {len(found.changed)}. Within the noise: {len(found.unchanged)}. "
        f"Not judged: {len(found.not_judged)}. "
        f"Only in the old report: {len(found.only_old)}. Only in the new: {len(found.only_new)}."
    )


def show_conditions(found: Comparison, console: Console) -> None:
    if not found.conditions:
        console.print("Both were measured under the same conditions.")
        return
    table = Table(title="Conditions that differ: what changed may be theirs")
    for column in ("", "old", "new"):
        table.add_column(column)
    for line in found.conditions:
        table.add_row(*map(escape, line))
    console.print(table)


def as_table(pairs: Sequence[Pair]) -> Table:
    table = Table(title="Changed beyond the noise")
    for column in ("what", "whose", "old", "new", "change"):
        table.add_column(column)
    for old, new in pairs:
        what = ", ".join(filter(None, (figures.title(new.measure), figures.varied(new))))
        words = (what, new.subject, figures.with_unit(old), figures.with_unit(new))
        table.add_row(*map(escape, words), change(old.median, new.median))
    return table


def change(old: float, new: float) -> str:
    """In percent; from nothing there is none."""
    return f"{(new - old) / old:+.1%}" if old else f"{new - old:+,.0f}"
