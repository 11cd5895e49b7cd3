"""What does a check answer? How the thing is, and if it is not well, what mends it."""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's answer; the keys of `doctor --json` are these names."""

    check: str
    status: Status
    detail: str
    fix: str = ""


def ok(check: str, detail: str) -> Finding:
    return Finding(check, "ok", detail)


def warning(check: str, detail: str, fix: str) -> Finding:
    """Say that something works, though not as well or as safely as it should."""
    return Finding(check, "warning", detail, fix)


def problem(check: str, detail: str, fix: str) -> Finding:
    """Say that something does not work, or is not safe; the doctor then exits with 1."""
    return Finding(check, "problem", detail, fix)
