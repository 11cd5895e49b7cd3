"""Under which conditions was it measured? They are said once, on top of every report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Without these a figure means nothing; one that is missing is said to be.
EXPECTED = (
    "command",
    "cpu",
    "cores",
    "versions",
    "server",
    "workers",
    "redis",
    "database",
    "counts",
)
NOT_RECORDED = "not recorded"


def listed(made: str, conditions: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every condition and its words; one that has parts names them all."""
    known = {key: conditions.get(key, NOT_RECORDED) for key in EXPECTED}
    return [
        ("date", made),
        *((said(key), words(value)) for key, value in (known | {**conditions}).items()),
    ]


def said(key: str) -> str:
    return key.replace("_", " ")


def words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{said(str(key))} {words(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(words(part) for part in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value not in (None, "") else NOT_RECORDED
