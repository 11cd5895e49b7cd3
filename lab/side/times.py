"""How does a class watch a token expire? With shorter times, at a switch, for both flows.

The switch is a file in VAR_DIR, so that it holds on every worker from the next request on; its time
of change is when it ends. The server's master deletes it at the start: the times survive nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponseBase

ACCESS_SECONDS, IDLE_SECONDS, GRACE_SECONDS = 30, 300, 5
MOST_SECONDS = 3600

_usual: dict[str, Any] = {}
_turn = threading.Lock()


class DemoTimesMiddleware:
    """Has every request run with the times that hold now: one look at a file, in the lab only."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.LAB:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        apply(seconds_left() > 0)
        return self.get_response(request)


def switch(*, on: bool) -> None:
    """Turn the demo times on, for an hour at most, or off: for all workers."""
    settings.DEMO_TIMES_FILE.unlink(missing_ok=True)
    if on:
        new = settings.DEMO_TIMES_FILE.with_suffix(".new")
        new.touch()
        end = time.time() + MOST_SECONDS
        os.utime(new, (end, end))
        new.replace(settings.DEMO_TIMES_FILE)
    apply(on)


def seconds_left() -> float:
    """For how long the demo times go on; 0 if they are off."""
    try:
        return max(0.0, os.stat(settings.DEMO_TIMES_FILE).st_mtime - time.time())
    except FileNotFoundError:
        return 0.0


def apply(on: bool) -> None:
    """Have this process use the demo times, or the usual ones."""
    if on == bool(_usual):
        return
    with _turn:
        if on and not _usual:
            _usual.update({name: getattr(settings, name) for name in shortened()})
            _set(shortened())
        elif not on:
            _set(_usual)
            _usual.clear()


def _set(values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(settings, name, value)


def shortened() -> dict[str, Any]:
    """What is set, and to what; nothing becomes longer than it is.

    Threat: ACCESS_SECONDS says for how long the denylist keeps an entry. Shortened, it would let a
    token of before come back from its revocation. So it stays, and only new tokens get less.
    """
    usual = settings.SIMPLE_JWT
    access, idle = timedelta(seconds=ACCESS_SECONDS), timedelta(seconds=IDLE_SECONDS)
    return {
        "SIMPLE_JWT": {
            **usual,
            "ACCESS_TOKEN_LIFETIME": min(access, usual["ACCESS_TOKEN_LIFETIME"]),
            "REFRESH_TOKEN_LIFETIME": min(idle, usual["REFRESH_TOKEN_LIFETIME"]),
        },
        "SESSION_COOKIE_AGE": min(IDLE_SECONDS, settings.SESSION_COOKIE_AGE),
        "GRACE_SECONDS": min(GRACE_SECONDS, settings.GRACE_SECONDS),
    }


def in_force() -> dict[str, Any]:
    """`{"on", "seconds", ...}`: whether, for how long yet, and what a new credential gets now."""
    return {
        "on": bool(_usual),
        "seconds": seconds_left(),
        "access": settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"].total_seconds(),
        "refresh": settings.SIMPLE_JWT["REFRESH_TOKEN_LIFETIME"].total_seconds(),
        "session": settings.SESSION_COOKIE_AGE,
        "grace": settings.GRACE_SECONDS,
        "leeway": settings.LEEWAY_SECONDS,
    }
