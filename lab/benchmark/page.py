"""How does a browser show a report? One file that opens from a disk: no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from lab.benchmark import articles, conditions
from lab.benchmark.charts import Bars, Lines, charts
from lab.benchmark.check import TARGETS
from lab.benchmark.conclusions import sentences
from lab.benchmark.rows import Row
from lab.benchmark.tables import Section, Table, sections, summary

if TYPE_CHECKING:
    from lab.benchmark.report import Report


@dataclass(frozen=True)
class Part:
    """One table and the charts that are drawn of it."""

    charts: list[Bars | Lines]
    table: Table


def render(report: Report) -> str:
    found = sections(report.rows)
    context = {
        "report": report,
        "conditions": conditions.listed(report.made, report.conditions),
        "summary": summary(report.rows),
        "sections": [shown(section, report.rows) for section in found],
        "claims": [
            {"claim": claim, "found": claim.found(report.rows).split("; "), "why": code(claim.why)}
            for claim in articles.CLAIMS
        ],
    }
    return render_to_string("lab/benchmark/report.html", context)


def shown(section: Section, rows: Sequence[Row]) -> dict[str, object]:
    targets = {t.subject: t.most for t in TARGETS if t.measure == "times_floor"}
    return {
        "section": section,
        "about": code(section.about),
        "parts": [
            Part(charts(part, targets), table)
            for part, table in zip(section.rows, section.tables, strict=True)
        ],
        "sentences": sentences(section.key, rows),
    }


def code(text: str) -> SafeString:
    """What stands between backticks is code."""
    words = enumerate(text.split("`"))
    return format_html_join(
        "", "{}", ((format_html("<code>{}</code>", w) if n % 2 else w,) for n, w in words)
    )
