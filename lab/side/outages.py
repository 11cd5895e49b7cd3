"""What becomes of both flows while a store is away? The page takes one away; it comes back alone.

The work is done by `manage.py outage`, a process of its own: a worker that dies, or a page that is
closed, leaves no outage behind. Which one is going on stands in `OUTAGE_FILE`, for all workers; to
keep the database out of their own reach is left to them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import connections
from django.http import HttpRequest, HttpResponseBase

START_SECONDS = 15
BACK_SECONDS = 10
COMMAND = (sys.executable, "-m", "django", "outage")
LENGTHS = (5, 10, 20, 30)
NO_DATABASE = "database-stop"


@dataclass(frozen=True)
class Kind:
    """One kind of outage: what the visitor chooses, and what is really done."""

    title: str
    what: str


KINDS = {
    "redis-delay": Kind(
        "Redis answers 0.2 s late",
        "It is paused for one moment after the other (CLIENT PAUSE), so that each of its answers "
        "takes 0.2 s, and 0.4 s at most. A call that asks it five times, one after the "
        "other, waits five times.",
    ),
    "redis-pause": Kind(
        "Redis answers nobody",
        "It takes connections and is paused: whoever asks waits for REDIS_TIMEOUT_SECONDS.",
    ),
    "redis-stop": Kind(
        "Redis is stopped",
        "Its process ends, and connections are refused at once. It comes back with all that it was "
        "told before.",
    ),
    "database-lock": Kind(
        "The database takes no writes",
        "Somebody else has its lock: a write waits for DATABASE_TIMEOUT_SECONDS, and reading goes "
        "on.",
    ),
    NO_DATABASE: Kind(
        "The database is out of reach",
        "Every worker closes its connections, and looks for the database where none is: reads and "
        "writes fail at once. The database itself goes on, and so does whoever else asks it.",
    ),
}


class Refused(Exception):
    """Raised when no outage begins; the message is a sentence for the visitor."""


def kinds() -> dict[str, Kind]:
    """What can be taken away here: not a Redis that others may use, nor a simulated one."""
    is_ours = not settings.REDIS_URL and settings.CACHES["auth"]["LOCATION"].startswith("unix:")
    return {key: kind for key, kind in KINDS.items() if is_ours or "redis" not in key}


def current() -> dict[str, Any] | None:
    """The outage that is going on: `{"kind", "title", "seconds"}`; so long it lasts at most."""
    note = _note()
    left = note.get("until", 0) - time.time()
    if left < -BACK_SECONDS:
        return None  # none, or whoever wrote it was killed
    return {"kind": note["kind"], "title": KINDS[note["kind"]].title, "seconds": max(0, left)}


def _note() -> dict[str, Any]:
    try:
        return dict(json.loads(settings.OUTAGE_FILE.read_text()))
    except FileNotFoundError:
        return {}


def begin(kind: str, seconds: int) -> None:
    """Take a store away, and return when it is. Raises `Refused`."""
    process = subprocess.Popen(
        [*COMMAND, kind, f"--seconds={seconds}"],
        cwd=settings.BASE_DIR,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # the terminal's Ctrl-C is for the site; this one brings back first
    )
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if _note().get("process") == process.pid:
            break
        time.sleep(0.02)
    if process.poll():
        said = process.communicate()[1].strip().splitlines()
        raise Refused(said[-1].removeprefix("CommandError: ") if said else "It did not begin.")
    threading.Thread(target=_see_it_out, args=[process], daemon=True).start()


def _see_it_out(process: subprocess.Popen[str]) -> None:
    """Reap it. Its note is still there if it was killed, and what it took away may be away."""
    process.communicate()
    if _note().get("process") == process.pid:
        subprocess.run([*COMMAND, "back"], cwd=settings.BASE_DIR, check=False)


def end() -> None:
    """Have it end now; returns when the store is back, or after a while."""
    if current() is None:
        return
    settings.OUTAGE_FILE.with_suffix(".end").touch()
    deadline = time.monotonic() + BACK_SECONDS
    while current() is not None and time.monotonic() < deadline:
        time.sleep(0.02)


# --- the database, for this process ------------------------------------------------------------

_usual: dict[str, Any] = {}
_turn = threading.Lock()


class NoDatabaseMiddleware:
    """Keeps the database out of a request's reach while an outage says so: one look at a file."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.LAB:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        note = _note()
        apply(note.get("kind") == NO_DATABASE and time.time() < note["until"])
        return self.get_response(request)


def apply(away: bool) -> None:
    """Have this process look for the database where none is, or where it is."""
    address = connections.settings["default"]
    if away != bool(_usual):
        with _turn:
            if away and not _usual:
                _usual.update(NAME=address["NAME"], HOST=address["HOST"])
                # A folder: no file for SQLite, and no socket of PostgreSQL is in it.
                address.update(NAME=str(settings.BASE_DIR), HOST=str(settings.BASE_DIR))
            elif not away:
                address.update(_usual)
                _usual.clear()
    if away:
        connections.close_all()  # this thread's: each has its own, and no other may close them
