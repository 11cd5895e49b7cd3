"""What came of a run of attacks? Its cells with their evidence, kept as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from lab.attacks.attack import Exchange, Outcome, Source, Verdict
from lab.attacks.matrix import WEAK, Cell

KIND = "authdemo attacks"  # tells our file from any other JSON
# What is left out of the file where it is empty.
OPTIONAL = {
    field.name
    for kind in (Outcome, Exchange)
    for field in fields(kind)
    if field.default is not MISSING
}


class NoReport(Exception):
    """The file cannot be read as a report; the text says why, in words for a person."""


@dataclass(frozen=True)
class Report:
    """`made`: when, in ISO 8601. `cells` in the order of the matrix."""

    made: str
    cells: tuple[Cell, ...]

    def cell(self, attack: str, strategy: str) -> Cell | None:
        return next((c for c in self.cells if (c.attack, c.strategy) == (attack, strategy)), None)


@dataclass(frozen=True)
class Count:
    """How one strategy fared: of the attacks that apply to it, how many were stopped."""

    strategy: str
    stopped: int
    applied: int

    @property
    def through(self) -> int:
        return self.applied - self.stopped


def report_of(cells: Sequence[Cell]) -> Report:
    """The report of a run that has just ended."""
    return Report(datetime.now(UTC).isoformat(timespec="seconds"), tuple(cells))


def counts(cells: Sequence[Cell]) -> list[Count]:
    """For each strategy that was attacked, in the order of the cells.

    Not for weakened variants: they meet the attacks that they are weak against, and few others.
    """
    applied: Counter[str] = Counter()
    stopped: Counter[str] = Counter()
    for cell in (each for each in cells if each.strategy not in WEAK):
        verdict = cell.outcome.verdict
        applied[cell.strategy] += verdict is not Verdict.DOES_NOT_APPLY
        stopped[cell.strategy] += verdict is Verdict.STOPPED
    return [Count(key, stopped[key], applied[key]) for key in applied]


def merged(old: Report | None, new: Report) -> Report:
    """The new cells in the place of the old ones; those that were not run again stay."""
    if old is None:
        return new
    run = {(cell.attack, cell.strategy) for cell in new.cells}
    kept = [cell for cell in old.cells if (cell.attack, cell.strategy) not in run]
    return Report(new.made, (*kept, *new.cells))


def committed() -> Path:
    """The report that came with the project."""
    return Path(settings.BASE_DIR) / "docs" / "attacks.json"


def path() -> Path:
    """Where the last run on this machine is kept."""
    return Path(settings.VAR_DIR) / "attacks" / "report.json"


def write(report: Report, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(encode(report), encoding="utf-8")


def encode(report: Report) -> str:
    """A line for each cell: the diff of two reports names the cells that differ."""
    cells = ",\n".join(_line(asdict(cell, dict_factory=_told)) for cell in report.cells)
    return f'{{"kind": {_line(KIND)}, "made": {_line(report.made)}, "cells": [\n{cells}\n]}}\n'


def _told(items: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in items if value or name not in OPTIONAL}


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def read(path: Path) -> Report:
    """Raises `NoReport` for a file that is missing, cut short, or of another kind."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found["kind"] != KIND:
            raise NoReport(f"{path} is JSON, but no report of attacks.")
        datetime.fromisoformat(found["made"])
        return Report(found["made"], tuple(map(_cell, found["cells"])))
    except OSError as error:
        raise NoReport(f"{path} cannot be read: {error.strerror}.") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NoReport(f"{path} is no report that this version can read: {error}.") from error


def _cell(found: dict[str, Any]) -> Cell:
    told = found["outcome"]
    outcome = Outcome(
        verdict=Verdict(told["verdict"]),
        lesson=told["lesson"],
        evidence=tuple(map(_exchange, told.get("evidence", ()))),
        held=Source(**told["held"]) if told.get("held") else None,
    )
    return Cell(found["attack"], found["strategy"], outcome, found["seconds"])


def _exchange(found: dict[str, Any]) -> Exchange:
    headers = {
        name: tuple((str(header), str(value)) for header, value in found.get(name, ()))
        for name in ("request_headers", "response_headers")
    }
    return Exchange(**{**found, **headers})
