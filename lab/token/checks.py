"""Which check refused, and which were passed on the way? Noted while the real code runs.

Nothing here checks a credential a second time. Most checks say their names
(`accounts.contract.checking`); a few steps of the libraries do not, and are known by the functions
that a refusal came through. `tests/lab/test_token.py` has a forged credential for every check, so
that a name that changes in a library is noticed.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from accounts.contract import checking
from lab.receipts.receipt import shown_file

OURS = ("accounts", "jwt_api", "sessions_api", "lab")


@dataclass(frozen=True)
class Check:
    """One question that the server asks, in the order of the list that it stands in.

    `name` is its name in `accounts.contract.checking`. `against` says who would get in without it.
    `inside` names the functions of a library that ask it too, and do not say so.
    """

    name: str
    words: str
    against: str
    inside: tuple[str, ...] = ()


def report(
    checks: Sequence[Check], runs: Sequence[checking.Run], error: BaseException | None
) -> dict[str, Any]:
    """What a page shows of one verification, as JSON: each check with its verdict and its place.

    A verdict is "passed", "refused", "not asked" (there was nothing to ask: a token without `nbf`)
    or "not reached". `refused_by` is None where all passed, and "other" for a refusal that no
    check is known by: then nothing is said of any.
    """
    last = {run.check.name: run for run in runs}  # a program's token is judged as a login's first
    refused_by = None if error is None else _refusing(checks, last, error)
    names = [check.name for check in checks]
    known = checks if refused_by in (None, *names) else ()
    reached = names.index(refused_by) if refused_by in names else len(names)
    verdicts = [_verdict(check, last, number - reached) for number, check in enumerate(known)]
    return {
        "refused_by": refused_by,
        "code": getattr(error, "default_code", None),
        "detail": str(getattr(error, "detail", "")) or None,
        "cause": getattr(error, "log_reason", None),
        "where": error and (_where(error) or _place(last.get(refused_by or ""))),
        "checks": [
            {
                "name": check.name,
                "words": check.words,
                "against": check.against,
                "verdict": verdict,
                "where": _place(last.get(check.name)),
            }
            for check, verdict in zip(known, verdicts, strict=True)
        ],
    }


def _refusing(checks: Sequence[Check], last: dict[str, checking.Run], error: BaseException) -> str:
    through = set(_functions(error))
    for check in checks:
        run = last.get(check.name)
        if (run is not None and run.refused) or through.intersection(check.inside):
            return check.name
    return "other"


def _verdict(check: Check, last: dict[str, checking.Run], beyond: int) -> str:
    """`beyond` says how many checks lie between this one and the one that refused."""
    if beyond == 0:
        return "refused"
    if beyond > 0:
        return "not reached"
    return "passed" if check.name in last or check.inside else "not asked"


def _functions(error: BaseException) -> Iterator[str]:
    for each in _chain(error):
        yield from (frame.name for frame in traceback.extract_tb(each.__traceback__))


def _place(run: checking.Run | None) -> dict[str, Any] | None:
    """Where a check stands."""
    if run is None:
        return None
    return {"path": shown_file(run.check.file), "line": run.check.line}


def _where(error: BaseException) -> dict[str, Any] | None:
    """The line of ours that was running when it went wrong; None for what was not raised."""
    for each in reversed(list(_chain(error))):
        for frame in reversed(traceback.extract_tb(each.__traceback__)):
            path = shown_file(frame.filename)
            if path.partition("/")[0] in OURS and frame.filename != checking.__file__:
                return {"path": path, "line": frame.lineno}
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its causes, the first one last."""
    each: BaseException | None = error
    while each is not None:
        yield each
        each = each.__cause__
