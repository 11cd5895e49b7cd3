"""What did the benchmark find? `report.json` has all rows, and the conditions they stand for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lab.benchmark.rows import Row


@dataclass(frozen=True)
class Report:
    """`made`: when, in ISO 8601. `conditions`: whatever JSON can hold, by name."""

    made: str
    conditions: dict[str, Any]
    rows: list[Row]
    interrupted: bool = False


def write(report: Report, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(asdict(report), indent=1))


def show(report: Report, console: Console) -> None:
    table = Table("measure", "subject", "of", "median", "from", "to", "unit")
    for row in report.rows:
        varied = ", ".join(f"{name} {value}" for name, value in row.parameters.items())
        low, high = row.spread
        figures = (f"{figure:.4g}" for figure in (row.median, low, high))
        table.add_row(row.measure, row.subject, varied, *figures, row.unit)
    console.print(table)
