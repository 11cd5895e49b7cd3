"""Which check refused, and which were passed on the way? Read off the refusal itself.

The real code runs, and nothing here checks a credential a second time. What it raised carries the
functions that it came through, and what it says; each check is known by one of these.
`tests/lab/test_token.py` has a forged credential for every check, so that a name that changes in
a library is noticed.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

OURS = ("accounts", "jwt_api", "sessions_api", "lab")


@dataclass(frozen=True)
class Check:
    """One question that the server asks, in the order of the list that it stands in.

    `against` says who would get in without it. `marks` are how its refusal is known: functions in
    the traceback, or what the exception says.
    """

    name: str
    words: str
    against: str
    marks: tuple[str, ...]


def report(checks: Sequence[Check], error: BaseException | None) -> dict[str, Any]:
    """What a page shows of one verification, as JSON: every check with `passed`.

    True: passed; False: this one refused; None: not reached. `refused_by` is None where all
    passed. A refusal that no check is known by is called "other", and then nothing is claimed of
    the checks.
    """
    refused_by = None if error is None else _refusing(checks, error)
    names = [check.name for check in checks]
    reached = names.index(refused_by) if refused_by in names else 0 if error else len(names)
    return {
        "refused_by": refused_by,
        "code": getattr(error, "default_code", None),
        "detail": str(getattr(error, "detail", "")) or None,
        "cause": getattr(error, "log_reason", None),
        "where": None if error is None else _where(error),
        "checks": [
            {
                "name": check.name,
                "words": check.words,
                "against": check.against,
                "passed": True if number < reached else False if check.name == refused_by else None,
            }
            for number, check in enumerate(checks)
        ],
    }


def _refusing(checks: Sequence[Check], error: BaseException) -> str:
    found = set(_marks(error))
    return next((check.name for check in checks if found.intersection(check.marks)), "other")


def _marks(error: BaseException) -> Iterator[str]:
    """The functions that a refusal came through, and what it and its causes say."""
    for each in _chain(error):
        yield str(each)
        yield getattr(each, "log_reason", "")
        yield from (frame.name for frame in traceback.extract_tb(each.__traceback__))


def _where(error: BaseException) -> dict[str, Any] | None:
    """The line of ours that was running when it went wrong; None for what was not raised."""
    for each in reversed(list(_chain(error))):
        for frame in reversed(traceback.extract_tb(each.__traceback__)):
            path = Path(frame.filename)
            if not path.is_relative_to(settings.BASE_DIR):
                continue
            inside = path.relative_to(settings.BASE_DIR)
            if inside.parts[0] in OURS:
                return {"path": inside.as_posix(), "line": frame.lineno, "name": frame.name}
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, the first one last."""
    each: BaseException | None = error
    while each is not None:
        yield each
        each = each.__cause__
