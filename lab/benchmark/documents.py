"""What do README and docs say of the benchmark? What this makes of a report, and nothing by hand.

`docs/benchmark.md` stands beside `docs/benchmark.json`, the report it was made of; a test holds
the page to it.
"""

from __future__ import annotations

from pathlib import Path

from lab.benchmark import articles, conditions
from lab.benchmark.conclusions import sentences
from lab.benchmark.report import INTERRUPTED, Report, encode
from lab.benchmark.tables import Section, Table, sections, summary

PAGE_NAME, REPORT_NAME = "benchmark.md", "benchmark.json"
# What stands between these lines of another document is made by the command as well.
BEGIN, END = "<!-- benchmark: begin -->", "<!-- benchmark: end -->"
COMMAND = "python manage.py benchmark --docs"


class Interrupted(Exception):
    """A report with a part missing is not for the docs."""


def write_docs(report: Report, folder: Path, *others: Path) -> None:
    """Make page and report in `folder`, and put the short table into the `others` that ask for it.

    Raises `Interrupted`.
    """
    if report.interrupted:
        raise Interrupted("The docs show whole reports only, and this one was interrupted.")
    (folder / REPORT_NAME).write_text(encode(report), encoding="utf-8")
    (folder / PAGE_NAME).write_text(page(report), encoding="utf-8")
    for document in others:
        text = document.read_text(encoding="utf-8")
        document.write_text(put_into(text, short(report)), encoding="utf-8")


def put_into(text: str, part: str) -> str:
    """`text` with `part` between its marks; a text without them stays as it is."""
    before, mark, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{mark}\n{part}{end}{after}" if mark and end else text


def page(report: Report) -> str:
    """The whole report as Markdown."""
    facts = Table(
        "",
        "",
        ["condition", ""],
        [list(p) for p in conditions.listed(report.made, report.conditions)],
    )
    claims = [
        [f"{c.key}: {c.question}", c.says, c.found(report.rows), c.why] for c in articles.CLAIMS
    ]
    parts = [
        "# Benchmark",
        f"Made by `{COMMAND}` from [`{REPORT_NAME}`]({REPORT_NAME}), which holds every raw figure. "
        "It is one run on one machine: another gives others. Do not edit it.",
        *([f"**{INTERRUPTED}**"] if report.interrupted else []),
        "## Conditions",
        as_markdown(facts),
        "## In short",
        as_markdown(summary(report.rows)),
        *(part for section in sections(report.rows) for part in of_section(section, report)),
        "## What do articles say, and what was found here?",
        as_markdown(Table("", "", ["question", "an article says", "found here", "why"], claims)),
    ]
    return "\n\n".join(parts) + "\n"


def short(report: Report) -> str:
    """The one table, with its date and conditions, for a document that is about more than this."""
    facts = conditions.listed(report.made, report.conditions)
    said = "; ".join(f"{name}: {text(words)}" for name, words in facts)
    return f"{as_markdown(summary(report.rows))}\n\n{said}. Made by `{COMMAND}`.\n"


def of_section(section: Section, report: Report) -> list[str]:
    said = sentences(section.key, report.rows)
    return [
        f"## {section.title}",
        *filter(None, [section.about]),
        *filter(None, ["\n".join(f"- {text(sentence)}" for sentence in said)]),
        *(as_markdown(table) for table in section.tables),
    ]


def as_markdown(table: Table) -> str:
    rule = ["---", *("--:" for _ in table.columns[1:])]
    if any(len(cell) > 40 for line in table.lines for cell in line):
        rule = ["---"] * len(table.columns)  # prose reads from the left
    lines = [line_of(table.columns), f"|{'|'.join(rule)}|", *map(line_of, table.lines)]
    about = " ".join(filter(None, (table.title and f"**{text(table.title)}.**", table.note)))
    return "\n\n".join(filter(None, (about, "\n".join(lines))))


def line_of(cells: list[str]) -> str:
    return f"| {' | '.join(map(text, cells))} |"


def text(words: str) -> str:
    # Threat: Markdown lets HTML through, and the words of a report may be anybody's.
    for sign, instead in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        ("\\", "\\\\"),
        ("|", "\\|"),
        ("\n", " "),
    ):
        words = words.replace(sign, instead)
    return words
