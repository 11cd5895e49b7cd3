"""Where do attacks take place? On a private site: own Redis, own SQLite, own server processes.

All eight strategies are mounted there. Nothing of the checkout's is touched, and no attack leaves
this machine.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import redis

from accounts.client import authorities
from lab.attacks.times import ACCOUNT_LIMIT
from lab.staging.processes import StageError, last_line, running
from lab.staging.redis_server import private_redis
from lab.staging.site import MIGRATE, site, started

START_SECONDS = 60
CONFIG = "lab.staging.gunicorn_config"
SERVE = "from lab.attacks import inside; inside.serve()"
# As the site comes, but for the network's limit: everybody here has the same address.
# And a busy machine is no outage.
VARIABLES = {
    # Whoever starts the stage: tests have settings that are faster, and serve no static files.
    "DJANGO_SETTINGS_MODULE": "authdemo.settings",
    "LOGIN_LIMIT_ACCOUNT": str(ACCOUNT_LIMIT),
    "REDIS_TIMEOUT_SECONDS": "3",
    "DATABASE_TIMEOUT_SECONDS": "30",
    "LOG_LEVEL": "INFO",
}


class Inside:
    """The process inside of the site; see `lab.attacks.inside` for its calls."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process, self.log = process, log
        self.turn = threading.Lock()

    def call(self, name: str, **arguments: Any) -> Any:
        with self.turn:
            assert self.process.stdin is not None
            assert self.process.stdout is not None
            self.process.stdin.write(json.dumps({"call": name, "arguments": arguments}) + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        if not answer:
            raise StageError(f"{name} failed inside: {last_line(self.log.read_text())}")
        return json.loads(answer)


class Log:
    """What the server itself writes about each request that it refused."""

    def __init__(self, path: Path) -> None:
        self.path, self.read = path, 0
        self.causes: dict[str, str] = {}
        self.turn = threading.Lock()

    def cause(self, request_id: str) -> str:
        with self.turn, self.path.open(encoding="utf-8") as file:
            file.seek(self.read)
            for line in iter(file.readline, ""):
                if not line.endswith("\n"):
                    break  # half a line: the other half comes later
                self.read = file.tell()
                self._keep(line)
            return self.causes.get(request_id, "")

    def _keep(self, line: str) -> None:
        if line.startswith("{") and '"cause"' in line:
            told = json.loads(line)
            self.causes[told.get("request_id", "")] = told["cause"]


@dataclass
class Stage:
    """A running private site. `password` is that of every account that is made on it."""

    url: str
    redis_url: str
    folder: Path
    environment: Mapping[str, str]
    inside: Inside = field(repr=False)
    log: Log = field(repr=False)
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def redis(self) -> redis.Redis:
        """A connection to the stage's Redis, for who has got that far."""
        return redis.Redis.from_url(self.redis_url)


@contextmanager
def staged(folder: Path, environment: Mapping[str, str], *, workers: int = 2) -> Iterator[Stage]:
    """The site, with these settings over its own; it ends with the block, and the Redis, too."""
    with private_redis(folder) as redis_url:
        project = site(folder, redis_url, f"sqlite:///{folder}/attacked.sqlite3")
        project = replace(project, variables=project.variables | VARIABLES | dict(environment))
        project.run(MIGRATE)
        log, inside_log = folder / f"{project.name}.log", folder / "inside.log"
        shell = (sys.executable, "manage.py", "shell", "-v0", "-c", SERVE)
        server = started(project, folder, workers=workers, config=CONFIG)
        inside = running(project.variables, *shell, log=inside_log)
        with server as (address, process), inside as insider:
            url = f"http://{address}"
            wait_until_it_answers(url, process, log)
            yield Stage(url, redis_url, folder, environment, Inside(insider, inside_log), Log(log))


def wait_until_it_answers(url: str, process: subprocess.Popen[str], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{url}/readyz", timeout=5, verify=authorities()).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise StageError(f"The server did not start: {last_line(log.read_text())}")
