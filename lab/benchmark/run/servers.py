"""What is measured? Sites with several workers each, on a Redis and databases of their own.

Nothing of the checkout's is touched: all of it lies in a folder that goes with the benchmark.
"""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import httpx
import redis
from redis.exceptions import RedisError

from lab.benchmark.run.logins import PASSWORD, USERNAME
from lab.benchmark.run.processes import BenchmarkError, finish, last_line, running
from lab.benchmark.run.subjects import PEERS_ROTATING
from lab.benchmark.run.workers import Worker, one_for_each

START_SECONDS = 60
BACKLOG = 512
# Its life is that of its standard input, and so is that of the Redis which it holds.
HOLD_REDIS = (
    "import sys; from django.conf import settings; "
    "print(settings.CACHES['auth']['LOCATION'], flush=True); sys.stdin.read()"
)
SIMULATED = (
    "The Redis at {} is simulated (it does not know INFO): it answers from a Python process, in "
    "another time than Redis does and in the server's own, so that nothing measured with it would "
    "say anything. Install redis-server, or name a real one: --redis redis://host:6379/5."
)
# As in production, but for the lab's users, and limits that a benchmark would run into.
SITE = {
    "ENV_FILE": os.devnull,
    "DEBUG": "0",
    "LAB": "1",
    "METRICS": "0",
    "LOG_FORMAT": "json",
    "HTTPS": "0",
    "ALLOWED_HOSTS": "127.0.0.1",
    "SITE_URL": "",
    "TRUSTED_PROXIES": "0",
    "COOKIE_SECURE": "1",
    "LOGIN_LIMIT_ACCOUNT": "1000000",
    "LOGIN_LIMIT_NETWORK": "1000000",
}
MIGRATE = (
    "from django.core.management import call_command; "
    "call_command('migrate', verbosity=0, skip_checks=True); "
)
PEERS_PROJECT = {"ENV_FILE": os.devnull, "DJANGO_SETTINGS_MODULE": "lab.benchmark.peers.settings"}


@dataclass(frozen=True)
class Project:
    """A site that can be started: `variables` are its environment, `make_users` is code."""

    name: str
    python: Path
    wsgi: str
    variables: dict[str, str]
    make_users: str

    def run(self, code: str) -> str:
        """Run Python inside of the site, and return what it printed."""
        return finish(self.variables, self.python, "-m", "django", "shell", "-v0", "-c", code)

    def prepare(self) -> None:
        """Tables, and users who can log in."""
        self.run(MIGRATE + self.make_users)


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


def site(folder: Path, redis_url: str, database_url: str) -> Project:
    """This project."""
    variables = SITE | {
        "VAR_DIR": str(folder),
        "REDIS_URL": redis_url,
        "DATABASE_URL": database_url,
    }
    return Project(
        "site",
        Path(sys.executable),
        "authdemo.wsgi",
        variables,
        "call_command('make_demo_users')",
    )


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
def private_redis(folder: Path) -> Iterator[str]:
    """The URL of a Redis that nobody else uses; it ends with the block.

    It is the embedded one of a checkout whose `var/` is `folder`: a process that does nothing else
    holds it. Raises `BenchmarkError` where no server program can be had.
    """
    variables = SITE | {
        "VAR_DIR": str(folder),
        "REDIS_URL": "",
        "DATABASE_URL": f"sqlite:///{folder}/unused.sqlite3",
    }
    log = folder / "redis-holder.log"
    with running(
        variables, sys.executable, "manage.py", "shell", "-v0", "-c", HOLD_REDIS, log=log
    ) as holder:
        assert holder.stdout is not None
        url = holder.stdout.readline().strip()
        if not url:
            raise BenchmarkError(f"Redis could not be started: {last_line(log.read_text())}")
        refuse_unfit(url)
        with redis.Redis.from_url(url) as client:
            client.config_set(
                "maxmemory", 0
            )  # the embedded one is bounded, a million logins are not
        yield url


def refuse_unfit(url: str) -> None:
    """Raise `BenchmarkError` unless a real and empty Redis answers there."""
    try:
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()
            try:
                client.info("server")
            except redis.ResponseError as error:
                raise BenchmarkError(SIMULATED.format(url)) from error
            if keys := client.dbsize():
                raise BenchmarkError(
                    f"The Redis at {url} holds {keys} keys that are not the benchmark's. Name an "
                    "empty database: --redis redis://host:6379/5."
                )
    except (RedisError, OSError, ValueError) as error:
        raise BenchmarkError(f"No Redis answers at {url}: {error}.") from error


@contextmanager
def serving(projects: list[Project], workers: int, folder: Path) -> Iterator[dict[str, Server]]:
    """Start all of them at once; yields them by name when each answers."""
    with ExitStack() as stack:
        started = {
            project.name: stack.enter_context(started_server(project, workers, folder))
            for project in projects
        }
        for name, server in started.items():
            wait_until_it_answers(server, folder / f"{name}.log")
        yield started


@contextmanager
def started_server(project: Project, workers: int, folder: Path) -> Iterator[Server]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(BACKLOG)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        gunicorn = (project.python, "-m", "gunicorn", project.wsgi)
        options = (
            "--config=python:lab.benchmark.run.gunicorn_config",
            f"--workers={workers}",
            f"--bind=fd://{listener.fileno()}",
        )
        running_server = running(
            project.variables,
            *gunicorn,
            *options,
            log=folder / f"{project.name}.log",
            keep=[listener.fileno()],
        )
        with running_server as process:
            # The server's own from here on: with ours open, a dead one would be waited for.
            listener.close()
            yield Server(address, workers, process)


def wait_until_it_answers(server: Server, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            break
        try:
            httpx.get(f"{server.url}/benchmark/worker", timeout=5).raise_for_status()
            _ = server.each_worker
            return
        except (httpx.HTTPError, OSError, BenchmarkError):
            time.sleep(0.05)
    raise BenchmarkError(f"A server did not start: {last_line(log.read_text())}")
