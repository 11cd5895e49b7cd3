"""What is measured? Sites with several workers each, on a Redis and databases of their own.

Nothing of the checkout's is touched: all of it lies in a folder that goes with the benchmark.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import httpx

from accounts.client import authorities
from lab.benchmark.run.logins import PASSWORD, USERNAME
from lab.benchmark.run.subjects import PEERS_ROTATING
from lab.benchmark.run.workers import Worker, one_for_each
from lab.staging.processes import StageError, last_line
from lab.staging.site import Project, started

START_SECONDS = 60
CONFIG = "lab.benchmark.run.gunicorn_config"
PEERS_PROJECT = {"ENV_FILE": os.devnull, "DJANGO_SETTINGS_MODULE": "lab.benchmark.peers.settings"}


@dataclass(frozen=True)
class Server:
    """A running site."""

    address: str
    workers: int
    process: subprocess.Popen[str] = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @cached_property
    def each_worker(self) -> list[Worker]:
        """A connection to every worker, kept until the end."""
        return one_for_each(self.address, self.workers)

    def cpu_seconds(self) -> float:
        """What all workers together have used so far."""
        return float(sum(worker.tell()["cpu_seconds"] for worker in self.each_worker))


def peers(name: str, folder: Path, redis_url: str, database_url: str, python: Path) -> Project:
    """The second project, in the environment that has what it measures."""
    variables = PEERS_PROJECT | {
        "VAR_DIR": str(folder),
        "REDIS_URL": redis_url,
        "DATABASE_URL": database_url,
        "SECRET_KEY": secrets.token_urlsafe(50),
        "ROTATING": str(int(name == PEERS_ROTATING)),
    }
    make_user = (
        "from django.contrib.auth.models import User; "
        f"User.objects.create_user({USERNAME!r}, '', {PASSWORD!r})"
    )
    wsgi = "lab.benchmark.peers.wsgi"
    return Project(name, python, wsgi, variables, make_user)


@contextmanager
def serving(projects: list[Project], workers: int, folder: Path) -> Iterator[dict[str, Server]]:
    """Start all of them at once; yields them by name when each answers."""
    with ExitStack() as stack:
        servers = {}
        for project in projects:
            running = started(project, folder, workers=workers, config=CONFIG)
            address, process = stack.enter_context(running)
            servers[project.name] = Server(address, workers, process)
        for name, server in servers.items():
            wait_until_it_answers(server, folder / f"{name}.log")
        yield servers


def wait_until_it_answers(server: Server, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            break
        try:
            httpx.get(
                f"{server.url}/benchmark/worker", timeout=5, verify=authorities()
            ).raise_for_status()
            _ = server.each_worker
            return
        except (httpx.HTTPError, OSError, StageError):
            time.sleep(0.05)
    raise StageError(f"A server did not start: {last_line(log.read_text())}")
