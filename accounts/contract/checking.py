"""Which checks has this request been through, in which order, and which one refused it?

    @check("csrf", "The request proves that a page of this site made it.")
    def enforce_csrf(request: HttpRequest) -> None: ...

Known only where somebody has asked, for the request that they asked about: the lab's receipts do.
For all others a check costs one look at a `ContextVar`. What a function does, raises and returns
is the same either way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from types import CodeType
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Check:
    """One check. `words` say what holds once it has passed; `file` and `line`, where it stands."""

    name: str
    words: str
    file: str
    line: int


@dataclass
class Run:
    """One run of a check, in nanoseconds of `perf_counter_ns`; a check may run inside another."""

    check: Check
    began: int
    ended: int = 0
    refused: bool = False
    because: str = ""


_runs: ContextVar[list[Run] | None] = ContextVar("checks", default=None)


@contextmanager
def noted() -> Iterator[list[Run]]:
    """The checks that run inside, in the order in which they begin."""
    runs: list[Run] = []
    token = _runs.set(runs)
    try:
        yield runs
    finally:
        _runs.reset(token)


def is_refusal(result: object) -> bool:
    """Whether a check that raised nothing has refused: by False, or by an error it returns."""
    return result is False or isinstance(result, Exception)


def check(
    name: str, words: str, *, refuses: Callable[[Any], bool] = is_refusal
) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Mark a function as a check: it refuses by what it raises, or returns (`refuses`)."""

    def decorate(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        code: CodeType = function.__code__
        what = Check(name, words, code.co_filename, code.co_firstlineno)
        asked = _runs.get  # a look at a global less, for each request and check

        @wraps(function)
        def checked(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            runs = asked()
            if runs is None:
                return function(*args, **kwargs)
            run = Run(what, time.perf_counter_ns())
            runs.append(run)
            try:
                result = function(*args, **kwargs)
                run.refused = refuses(result)
                run.because = _cause(result)
            except Exception as error:
                run.refused, run.because = True, _cause(error)
                raise
            finally:
                run.ended = time.perf_counter_ns()
            return result

        return checked

    return decorate


def _cause(refusal: object) -> str:
    """What a refusal says to the log, which is more than it tells the client."""
    if not isinstance(refusal, Exception):
        return ""
    return getattr(refusal, "log_reason", "") or str(refusal) or type(refusal).__name__
