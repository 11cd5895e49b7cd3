"""What do the docs say of the attacks? What this makes of a report, and nothing by hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from django.conf import settings

from lab.attacks.attack import Attack, Exchange, Group, Verdict
from lab.attacks.matrix import WEAK, Cell, differences
from lab.attacks.report import Report, counts, encode
from lab.benchmark.documents import line_of, text
from lab.weakened import WEAKENED

COMMAND = "python manage.py attack --all --docs"
PAGE_NAME, REPORT_NAME = "attacks.md", "attacks.json"
WEAKENED_ARE = (
    "Each is a strategy without one defence, in the lab and nowhere else. CI fails when an attack "
    "no longer succeeds against one: then it no longer teaches what the defence is for."
)
SIGNS = {Verdict.SUCCEEDS: "✗", Verdict.STOPPED: "✓", Verdict.DOES_NOT_APPLY: "·"}
# The first step and the last ones: what is between them, in a race, is the same again.
FIRST, LAST = 1, 2
MOST_CHARACTERS = 160
# What decides; a run on the reader's own machine shows the others as well.
HEADERS = {"authorization", "cookie", "set-cookie", "www-authenticate", "retry-after", "location"}
# Django says it a second time with Max-Age, in fewer characters, and the same on every day.
EXPIRES = re.compile(r"expires=[^;]*; ", re.IGNORECASE)


class NotForTheDocs(Exception):
    """The docs show whole matrices that came out as expected."""


def write_docs(report: Report, attacks: Sequence[Attack], folder: Path) -> None:
    """Make page and report in `folder`. Raises `NotForTheDocs`."""
    wanted = [report.cell(attack.key, key) for attack in attacks for key in attack.expected]
    cells = tuple(cell for cell in wanted if cell is not None)
    if len(cells) < len(wanted):
        raise NotForTheDocs("The docs show the whole matrix: --all, and every strategy.")
    report = replace(report, cells=cells)
    if found := differences(attacks, report.cells):
        raise NotForTheDocs(f"The docs show what is expected, and not: {found[0]}.")
    short = replace(report, cells=tuple(map(_short, report.cells)))
    (folder / REPORT_NAME).write_text(encode(short), encoding="utf-8")
    (folder / PAGE_NAME).write_text(page(report, attacks), encoding="utf-8")


def _short(cell: Cell) -> Cell:
    applies = cell.outcome.verdict is not Verdict.DOES_NOT_APPLY
    steps = cell.outcome.evidence if applies else ()
    if len(steps) > FIRST + LAST:
        left_out = Exchange("", "", "", f"({len(steps) - FIRST - LAST} more like these)", 0)
        steps = (*steps[:FIRST], left_out, *steps[-LAST:])
    steps = tuple(map(_brief, steps))
    return replace(cell, seconds=0.0, outcome=replace(cell.outcome, evidence=steps))


def _brief(step: Exchange) -> Exchange:
    return replace(
        step,
        request_headers=_deciding(step.request_headers),
        request_body=step.request_body[:MOST_CHARACTERS],
        response_headers=_deciding(step.response_headers),
        response_body=step.response_body[:MOST_CHARACTERS],
    )


def _deciding(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    told = [(name, _of_cookies(value)) for name, value in headers if name.lower() in HEADERS]
    return tuple((name, value) for name, value in told if value)


def _of_cookies(header: str) -> str:
    # This cookie opens nothing: it only spares a browser some of the limits of logins.
    idle = f"{settings.KNOWN_DEVICE_COOKIE_NAME}="
    if header.startswith(idle):  # either it is set, or nothing else is sent
        return ""
    cookies = EXPIRES.sub("", header).split("; ")
    return "; ".join(cookie for cookie in cookies if not cookie.startswith(idle))


def page(report: Report, attacks: Sequence[Attack]) -> str:
    """The matrix, and the lessons under it, as Markdown."""
    keys = list(dict.fromkeys(c.strategy for c in report.cells if c.strategy not in WEAK))
    parts = [
        "# Attacks",
        f"Made by `{COMMAND}` on {report.made} from real requests to a private site; "
        f"[`{REPORT_NAME}`]({REPORT_NAME}) holds them. Do not edit it. "
        "CI runs all of them, and fails when one comes out otherwise.",
        "✓ stopped, ✗ succeeds, · does not apply",
        "## The matrix",
    ]
    for group in Group:
        chosen = [attack for attack in attacks if attack.group is group]
        if chosen:
            parts += [f"### {group.value.capitalize()}", _table(report, chosen, keys)]
    parts += ["## Weak on purpose", WEAKENED_ARE, _weakened(report, attacks)]
    parts += ["## Counted", _counted(report), "## What each one teaches"]
    for attack in attacks:
        parts += _lessons(report, attack)
    return "\n\n".join(parts) + "\n"


def _table(report: Report, attacks: Sequence[Attack], keys: Sequence[str]) -> str:
    lines = [line_of(["attack", *keys]), f"|---|{':-:|' * len(keys)}"]
    for attack in attacks:
        cells = (report.cell(attack.key, key) for key in keys)
        words = [_words(cell.outcome.verdict) if cell else "" for cell in cells]
        rows = f" ({', '.join(attack.catalogue)})" if attack.catalogue else ""
        lines.append(line_of([f"{attack.title}{rows}", *words]))
    return "\n".join(lines)


def _weakened(report: Report, attacks: Sequence[Attack]) -> str:
    lines = [line_of(["weak variant", "taken out", "attack", "", "its sound sibling"])]
    lines.append("|---|---|---|---|---|")
    for row in WEAKENED:
        for attack in attacks:
            both = (report.cell(attack.key, row.key), report.cell(attack.key, row.sound))
            words = [_words(cell.outcome.verdict) if cell else "" for cell in both]
            if words[0]:
                lines.append(line_of([f"`{row.key}`", text(row.removed), attack.title, *words]))
    return "\n".join(lines)


def _words(verdict: Verdict) -> str:
    return f"{SIGNS[verdict]} {verdict.value}"


def _counted(report: Report) -> str:
    lines = [line_of(["strategy", "stopped", "of those that apply"]), "|---|--:|--:|"]
    lines += [line_of([c.strategy, str(c.stopped), str(c.applied)]) for c in counts(report.cells)]
    return "\n".join(lines)


def _lessons(report: Report, attack: Attack) -> list[str]:
    found: dict[tuple[Verdict, str], list[Cell]] = {}
    for cell in report.cells:
        if cell.attack == attack.key:
            said = (cell.outcome.verdict, cell.outcome.lesson)
            found.setdefault(said, []).append(cell)
    lines = []
    for (verdict, lesson), cells in found.items():
        keys = ", ".join(cell.strategy for cell in cells)
        sources = [cell.outcome.held for cell in cells if cell.outcome.held]
        places = list(dict.fromkeys(f"`{each.path}`, `{each.name}`" for each in sources))
        held = f" Held by {'; '.join(places)}." if places else ""
        lines.append(f"- {SIGNS[verdict]} **{verdict.value}** ({keys}): {text(lesson)}{held}")
    return [f"### {attack.title}", text(attack.story), "\n".join(lines)]
