"""What stands on a receipt? All in numbers and words, no secret, and never too much of it."""

from __future__ import annotations

import inspect
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from accounts.contract.checking import Run
from accounts.log_format import hide_secrets
from lab.receipts.recording import Recording, Step, microseconds

HEADER = "X-Lab-Receipt"
MOST_STEPS = 60
MOST_CHECKS = 40
MOST_CHARACTERS = 300


def made_of(
    recording: Recording,
    runs: list[Run],
    request: HttpRequest,
    response: HttpResponseBase,
    *,
    started: float,
    ended: int,
) -> dict[str, Any]:
    """The receipt, ready for JSON: `started` in Unix seconds, `ended` as `perf_counter_ns`.

    Times are microseconds; `authentication` is the time in checks and in the flow's authentication
    class, with what they asked the stores. Counts are of all there was; of steps and checks only
    the first are told, and `left_out` says how many are not. `refused_by` is the last check that
    refused, of a request that was refused: one check may refuse and another way still lead in.
    """
    for step in recording.steps:
        step.ended = step.ended or ended  # nobody answered
    refused = [run.check.name for run in runs if run.refused]
    of_checks = [
        Step("server", f"{run.check.name}: {_verdict(run)}", run.began, run.ended) for run in runs
    ]
    steps = sorted([*recording.steps, *of_checks], key=lambda step: step.began)
    sent = [step for step in recording.of("redis") if not step.text.startswith("(")]
    return {
        "request_id": getattr(request, "request_id", None),
        "method": request.method,
        "path": hide_secrets(request.path),
        "status": response.status_code,
        "view": view_of(request),
        "started": round(started, 6),
        "microseconds": {
            "total": round((ended - recording.began) / 1000),
            "authentication": microseconds(
                [*recording.authentication, *((run.began, run.ended) for run in runs)]
            ),
            "sql": microseconds((s.began, s.ended) for s in recording.of("database")),
            "redis": microseconds((s.began, s.ended) for s in recording.of("redis")),
        },
        "bytes": {"in": bytes_in(request), "out": bytes_out(response)},
        "counts": {
            "sql": len(recording.of("database")),
            "redis": len(sent),
            "checks": len(runs),
        },
        "steps": [_step(step, recording.began) for step in steps[:MOST_STEPS]],
        "checks": [_check(run) for run in runs[:MOST_CHECKS]],
        "refused_by": refused[-1] if refused and response.status_code >= 400 else None,
        "left_out": max(0, len(steps) - MOST_STEPS) + max(0, len(runs) - MOST_CHECKS),
    }


def as_header(receipt: dict[str, Any]) -> str:
    """ASCII JSON in one line: some 10 kB for a login, and never more than fits into a header."""
    return json.dumps(receipt, separators=(",", ":"))


def _step(step: Step, began: int) -> dict[str, Any]:
    return {
        "lane": step.lane,
        "at": round((step.began - began) / 1000),
        "took": round((step.ended - step.began) / 1000),
        "text": shortened(step.text),
    }


def _check(run: Run) -> dict[str, Any]:
    told = {
        "name": run.check.name,
        "passed": not run.refused,
        "words": run.check.words,
        "path": shown_file(run.check.file),
        "line": run.check.line,
    }
    return {**told, "because": shortened(run.because)} if run.because else told


def _verdict(run: Run) -> str:
    return "refused" if run.refused else "passed"


def shortened(text: str) -> str:
    """The text in one line, of a bounded length, without anything that is shaped like a secret."""
    text = hide_secrets(" ".join(text.split()))
    return text if len(text) < MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"


# --- where the code stands ------------------------------------------------------------------


def view_of(request: HttpRequest) -> dict[str, Any] | None:
    """Whose code answered: the method of a class, or a function; None where no URL matched."""
    match = getattr(request, "resolver_match", None)
    if match is None:
        return None
    kind = getattr(match.func, "cls", None) or getattr(match.func, "view_class", None)
    method = getattr(kind, (request.method or "").lower(), None)
    function = inspect.unwrap(method or kind or match.func)
    code = getattr(function, "__code__", None)
    where: dict[str, Any] = {"path": None, "line": None}
    if code is not None:
        where = {"path": shown_file(code.co_filename), "line": code.co_firstlineno}
    owner = kind or function
    name = f"{owner.__module__}.{owner.__qualname__}"
    return {"name": f"{name}.{function.__name__}" if method else name, **where}


@cache
def shown_file(name: str) -> str:
    """A file as `lab.receipts.code` finds it again: below the project, or below `site-packages`."""
    path = Path(name).resolve()
    if path.is_relative_to(settings.BASE_DIR):
        inside = path.relative_to(settings.BASE_DIR)
        if "site-packages" not in inside.parts:
            return inside.as_posix()
    roots = sorted((Path(each).resolve() for each in sys.path if each), key=lambda r: -len(r.parts))
    root = next((each for each in roots if path.is_relative_to(each)), path.parent)
    return path.relative_to(root).as_posix()


# --- what went over the wire ----------------------------------------------------------------


def bytes_in(request: HttpRequest) -> int:
    """The request as HTTP/1.1 writes it, without the header that asks for the receipt."""
    meta = request.META
    asks = "HTTP_" + HEADER.upper().replace("-", "_")
    names = {name: name.removeprefix("HTTP_") for name in meta if name.startswith("HTTP_")}
    names |= {name: name for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if meta.get(name)}
    headers = sum(_line(name, meta[key]) for key, name in names.items() if key != asks)
    target = request.get_full_path()
    first = len(f"{request.method} {target} HTTP/1.1\r\n")
    return first + headers + 2 + int(meta.get("CONTENT_LENGTH") or 0)


def bytes_out(response: HttpResponseBase) -> int:
    """The answer likewise, without the receipt and without what the server adds to each (Date).

    Of a file that is streamed the headers alone.
    """
    headers = sum(_line(name, value) for name, value in response.items() if name != HEADER)
    cookies = sum(_line("Set-Cookie", each.OutputString()) for each in response.cookies.values())
    first = len(f"HTTP/1.1 {response.status_code} {response.reason_phrase}\r\n")
    return first + headers + cookies + 2 + len(getattr(response, "content", b""))


def _line(name: str, value: str) -> int:
    return len(name) + len(str(value)) + 4  # ": " and CRLF
