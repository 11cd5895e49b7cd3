"""How does the page run an audit? As `manage.py audit` does: a process, one at a time.

The lock is the process's own, so that it is free again however the process ends.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, TypedDict

from django.conf import settings

from lab.audit.report import kept_in

with suppress(ImportError):  # Windows has no fcntl, and no gunicorn to audit either
    import fcntl

MOST_SECONDS = 300
ENDED_WELL = (0, 1)  # 1: something fails, which is a report as well
FAILED = "The audit ended without a report."


class State(TypedDict):
    """`error` is why the last one that this page began has no report; else empty."""

    is_running: bool
    error: str


def start() -> bool:
    """Begin an audit; False while another one runs."""
    lock = _lock()
    if lock is None:
        return False
    with lock, (_folder() / "run.log").open("wb") as log:
        (_folder() / "error.txt").unlink(missing_ok=True)
        # Surprise: the lock belongs to the open file, and so to the process that inherits it.
        process = subprocess.Popen(
            [sys.executable, "manage.py", "audit", "--json"],
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            pass_fds=[lock.fileno()],
        )
    threading.Thread(target=_watch, args=(process,), daemon=True).start()
    return True


def state() -> State:
    lock = _lock()
    if lock is not None:
        lock.close()
    error = ""
    with suppress(OSError):
        error = (_folder() / "error.txt").read_text(encoding="utf-8")
    return {"is_running": lock is None, "error": error}


def _watch(process: subprocess.Popen[bytes]) -> None:
    """Wait for its end: nobody else would, and it would stay in the table of processes."""
    try:
        code = process.wait(timeout=MOST_SECONDS)
    except subprocess.TimeoutExpired:
        process.terminate()  # it takes its server down with it
        code = process.wait()
    if code not in ENDED_WELL:
        lines = (_folder() / "run.log").read_text(errors="replace").strip().splitlines()
        (_folder() / "error.txt").write_text(lines[-1] if lines else FAILED, encoding="utf-8")


def _lock() -> IO[bytes] | None:
    """The lock, taken; None while an audit has it."""
    lock = (_folder() / "run.lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _folder() -> Path:
    folder = kept_in().parent
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
