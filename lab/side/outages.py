"""What becomes of both flows while a store is away? The page takes one away; it comes back alone.

The work is done by `manage.py outage`, a process of its own: a worker that dies, or a page that is
closed, leaves no outage behind. Which one is going on stands in `OUTAGE_FILE`, for all workers.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from typing import Any

from django.conf import settings

START_SECONDS = 15
BACK_SECONDS = 10
LENGTHS = (5, 10, 20, 30)
KINDS = {
    "redis-pause": "Redis answers nobody",
    "redis-stop": "Redis is stopped",
    "database-lock": "The database takes no writes",
}


class Refused(Exception):
    """Raised when no outage begins; the message is a sentence for the visitor."""


def kinds() -> dict[str, str]:
    """What can be taken away here: not a Redis that others may use, nor a simulated one."""
    is_ours = not settings.REDIS_URL and settings.CACHES["auth"]["LOCATION"].startswith("unix:")
    return {key: title for key, title in KINDS.items() if is_ours or "redis" not in key}


def current() -> dict[str, Any] | None:
    """The outage that is going on: `{"kind", "title", "seconds"}`; so long it lasts at most."""
    note = _note()
    left = note.get("until", 0) - time.time()
    if left < -BACK_SECONDS:
        return None  # none, or whoever wrote it was killed
    return {"kind": note["kind"], "title": KINDS[note["kind"]], "seconds": max(0, left)}


def _note() -> dict[str, Any]:
    try:
        return dict(json.loads(settings.OUTAGE_FILE.read_text()))
    except FileNotFoundError:
        return {}


def begin(kind: str, seconds: int) -> None:
    """Take a store away, and return when it is. Raises `Refused`."""
    command = [sys.executable, "-m", "django", "outage", kind, f"--seconds={seconds}"]
    process = subprocess.Popen(
        command,
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
    threading.Thread(target=process.communicate, daemon=True).start()  # so that it is reaped


def end() -> None:
    """Have it end now; returns when the store is back, or after a while."""
    if current() is None:
        return
    settings.OUTAGE_FILE.with_suffix(".end").touch()
    deadline = time.monotonic() + BACK_SECONDS
    while current() is not None and time.monotonic() < deadline:
        time.sleep(0.02)
