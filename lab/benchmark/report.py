"""What did the benchmark find? A report: its rows, and the conditions they were measured under.

It is kept as `report.json`, with every raw figure, and shown from there: as tables in the
terminal, as `report.html`, as Markdown.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from lab.benchmark import articles, conditions, page
from lab.benchmark.conclusions import sentences
from lab.benchmark.rows import Row
from lab.benchmark.tables import Section, Table, sections, summary

JSON_NAME, HTML_NAME = "report.json", "report.html"
KIND = "authdemo benchmark"  # tells our file from any other JSON
INTERRUPTED = "Interrupted: what was measured until then is here, and the rest is missing."


class NoReport(Exception):
    """The file cannot be read as a report; the text says why, in words for a person."""


@dataclass(frozen=True)
class Report:
    """`made`: when, in ISO 8601. `conditions`: whatever JSON can hold, by name."""

    made: str
    conditions: dict[str, Any]
    rows: list[Row]
    interrupted: bool = False


def write(report: Report, folder: Path) -> None:
    """Make `report.json` and `report.html` in `folder`, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON_NAME).write_text(encode(report), encoding="utf-8")
    (folder / HTML_NAME).write_text(page.render(report), encoding="utf-8")


def encode(report: Report) -> str:
    return json.dumps({"kind": KIND, **asdict(report)}, indent=1, ensure_ascii=False) + "\n"


def read(path: Path) -> Report:
    """Raises `NoReport` for a file that is missing, cut short, or of another kind."""
    with refusing(path):
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict) or found.pop("kind", None) != KIND:
            raise NoReport(f"{path} is JSON, but no report of this benchmark.")
        rows = [Row.decode(row) for row in found.pop("rows")]
        report = Report(rows=rows, **found)
        datetime.fromisoformat(report.made)
        dict(report.conditions)
    return report


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NoReport(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise NoReport(f"{path} is not JSON, or was cut short: {error}.") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NoReport(f"{path} is no report that this version can read: {error}.") from error


NOTHING_MAIN = "None of the main measures was asked for: what was stands above."


def show(report: Report, console: Console) -> None:
    """Print conditions, a table for each group of measures, the articles' numbers, a summary."""
    if report.interrupted:
        console.print(f"[bold red]{INTERRUPTED}[/]")
    console.print("[bold]Measured under these conditions[/]")
    facts = RichTable(box=None, show_header=False, pad_edge=False)
    for pair in conditions.listed(report.made, report.conditions):
        facts.add_row(*map(escape, pair))
    console.print(facts)
    for section in sections(report.rows):
        show_section(section, report.rows, console)
    show_articles(report.rows, console)
    console.print("\n[bold]In short[/]\n")
    found = summary(report.rows)
    console.print(as_rich(found) if found.lines else NOTHING_MAIN)


def show_section(section: Section, rows: list[Row], console: Console) -> None:
    console.print(f"\n[bold]{section.title}[/]")
    console.print(escape(section.about.replace("`", "")))
    for table in section.tables:
        console.print()
        console.print(as_rich(table))
    for sentence in sentences(section.key, rows):
        console.print(escape(sentence))


def as_rich(table: Table) -> RichTable:
    shown = RichTable(box=SIMPLE_HEAD, pad_edge=False, title_justify="left", caption_justify="left")
    shown.title, shown.caption = table.title or None, table.note
    for place, column in enumerate(table.columns):
        shown.add_column(escape(column), justify="right" if place else "left", no_wrap=not place)
    for line in table.lines:
        shown.add_row(*map(escape, line))
    return shown


def show_articles(rows: list[Row], console: Console) -> None:
    console.print("\n[bold]What do articles say, and what was found here?[/]")
    answered = [claim for claim in articles.CLAIMS if claim.found(rows) != articles.NOT_MEASURED]
    if others := len(articles.CLAIMS) - len(answered):
        console.print(f"{others} of their claims are about what was not measured in this run.")
    for claim in answered:
        console.print(f"\n[bold]{claim.key}[/] {escape(claim.question)}")
        console.print(f"  an article says: {escape(claim.says)}")
        console.print(f"  found here:      {escape(claim.found(rows))}")
        console.print(f"  why they differ: {escape(claim.why)}")
