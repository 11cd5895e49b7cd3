"""How does the page run one attack? As `manage.py attack` does: a process, on a private stage.

One at a time on this machine: a stage is a whole site, and ten visitors would start ten. The lock
is the process's own, so that it is free again however the process ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings

from lab.attacks import report

with suppress(ImportError):  # Windows has no fcntl, and no Redis to attack either
    import fcntl

MOST_SECONDS = 180


def start(attack: str, strategy: str) -> bool:
    """Start it; False while another one runs."""
    folder = _folder()
    lock = (folder / "run.lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return False
    began = time.time()
    _tell({"attack": attack, "strategy": strategy, "began": began, "state": "running"})
    with lock, (folder / "run.log").open("wb") as log:
        # Surprise: the lock belongs to the open file, and so to the process that inherits it.
        process = subprocess.Popen(
            [sys.executable, "manage.py", "attack", attack, "--strategy", strategy, "--json"],
            cwd=settings.BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            pass_fds=[lock.fileno()],
        )
    threading.Thread(target=_watch, args=(process, attack, strategy, began), daemon=True).start()
    return True


def state() -> dict[str, Any]:
    """`{"state": "idle"|"running"|"done"|"failed", "attack", "strategy", "seconds", "error"}`."""
    try:
        told: dict[str, Any] = json.loads((_folder() / "run.json").read_text())
    except (OSError, ValueError):
        return {"state": "idle"}
    if told["state"] == "running" and not _is_locked():
        # The process ended, and whoever watched it ended before: ask its report.
        told |= _ending(told["attack"], told["strategy"], told["began"])
    told["seconds"] = round(told.get("ended", time.time()) - told["began"])
    return told


def _watch(process: subprocess.Popen[bytes], attack: str, strategy: str, began: float) -> None:
    try:
        process.wait(timeout=MOST_SECONDS)
    except subprocess.TimeoutExpired:
        process.terminate()  # it takes its stage down with it
        process.wait()
    told = {"attack": attack, "strategy": strategy, "began": began}
    _tell(told | _ending(attack, strategy, began))


def _ending(attack: str, strategy: str, began: float) -> dict[str, Any]:
    """How a run ended: by whether it has written its cell since."""
    try:
        changed = report.path().stat().st_mtime
        if changed >= began and report.read(report.path()).cell(attack, strategy):
            return {"state": "done", "ended": time.time()}
    except (OSError, report.NoReport):
        pass
    with suppress(OSError):
        lines = (_folder() / "run.log").read_text(errors="replace").strip().splitlines()
        return {"state": "failed", "ended": time.time(), "error": lines[-1] if lines else ""}
    return {"state": "failed", "ended": time.time(), "error": ""}


def _is_locked() -> bool:
    with (_folder() / "run.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _tell(told: dict[str, Any]) -> None:
    new = _folder() / "run.json.new"
    new.write_text(json.dumps(told))
    new.replace(_folder() / "run.json")


def _folder() -> Path:
    folder = report.path().parent
    folder.mkdir(parents=True, exist_ok=True)
    return folder
