"""How does a worker die in the middle of a request? It stops at a point, and is killed there.

A real process, forked from a parent that has loaded the site, as web servers do it.
The parent reads one `Job` per line, as JSON, and has each done by a new worker; the worker
says `held <process id>` when it has come to its point, and stays there.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.db import connections
from django.utils.module_loading import import_string

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Job:
    """One POST to make, and where to stop: `before` or `after` the first call of `function`."""

    path: str
    cookies: dict[str, str]
    when: str
    function: str
    """Its dotted name, in the module where it is looked up."""

    grace: int
    atomic_requests: bool


class DoomedWorkers:
    """The parent, seen from the tests. `database` is the name of the one that the tests use."""

    def __init__(self) -> None:
        self.database = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.accounts.doomed"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def die(self, job: Job) -> None:
        """Have a worker do the job as far as its point, and kill it there."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([self.database, asdict(job)]) + "\n")
        self.process.stdin.flush()
        word, said = self.process.stdout.readline().split()
        if word == "held":
            os.kill(int(said), signal.SIGKILL)
        ended = self.process.stdout.readline().split()
        assert word == "held", f"not stopped {job.when} {job.function}: {word} {said}"
        assert ended == ["ended", str(int(signal.SIGKILL))]

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def hold_at(when: str, function: str) -> None:
    """Have the first call of a function stop this process, before or after it."""
    owner_name, _, name = function.rpartition(".")
    owner = sys.modules.get(owner_name) or import_string(owner_name)
    called = getattr(owner, name)

    def held(*args: Any, **kwargs: Any) -> Any:
        if when == "after":
            called(*args, **kwargs)
        say("held", os.getpid())
        while True:
            time.sleep(60)

    setattr(owner, name, held)


def work(database: str, job: Job) -> None:
    from tests.accounts.racing import browser, post

    connections["default"].settings_dict["NAME"] = database
    connections["default"].settings_dict["ATOMIC_REQUESTS"] = job.atomic_requests
    settings.GRACE_SECONDS = job.grace
    settings.ALLOWED_HOSTS = ["testserver"]  # the test client's
    client = browser(**job.cookies)
    hold_at(job.when, job.function)
    say("answered", post(client, job.path).status_code)


def main() -> None:
    django.setup()
    import_module(settings.ROOT_URLCONF)
    for line in sys.stdin:
        database, job = json.loads(line)
        worker = os.fork()
        if worker == 0:
            try:
                work(database, Job(**job))
            except Exception as error:  # noqa: BLE001  # the parent's loop is not the worker's
                say("raised", repr(error).replace(" ", "_"))
            os._exit(0)
        _, status = os.waitpid(worker, 0)
        say("ended", -os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
