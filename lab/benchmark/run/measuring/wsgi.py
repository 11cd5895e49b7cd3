"""Which web server should answer? The same site, on as many workers, under each of them.

Why it is asked at all: what a server spends on a request is spent by every strategy alike, and
hides what they differ by. The strategy is the one that costs the least, so that the server shows.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import httpx
from django.conf import settings

from lab.benchmark.run import environment
from lab.benchmark.run.measuring.request import REQUESTS
from lab.benchmark.run.plan import Bench, Step, interleaved
from lab.benchmark.run.servers import START_SECONDS
from lab.benchmark.run.subjects import SITE, Subject
from lab.staging.processes import StageError, last_line, running

APPLICATION = "authdemo.wsgi:application"
SUBJECTS = ("jwt-expiry", "session-redis")
THREADS = 4


def gunicorn(kind: str) -> Callable[[str, int, int], tuple[str, ...]]:
    def command(host: str, port: int, workers: int) -> tuple[str, ...]:
        return (
            "gunicorn",
            APPLICATION,
            f"--worker-class={kind}",
            f"--workers={workers}",
            f"--threads={THREADS if kind == 'gthread' else 1}",
            f"--bind={host}:{port}",
            "--keep-alive=75",
        )

    return command


def granian(host: str, port: int, workers: int) -> tuple[str, ...]:
    words = f"--interface wsgi --workers {workers} --blocking-threads {THREADS} --no-ws"
    return ("granian", *words.split(), "--host", host, "--port", str(port), APPLICATION)


def waitress(host: str, port: int, workers: int) -> tuple[str, ...]:
    """One process, whatever was asked for: it knows no other way."""
    return ("waitress", f"--listen={host}:{port}", f"--threads={workers * THREADS}", APPLICATION)


SERVERS: dict[str, Callable[[str, int, int], tuple[str, ...]]] = {
    "gunicorn gthread": gunicorn("gthread"),
    "gunicorn sync": gunicorn("sync"),
    "granian": granian,
    "waitress": waitress,
}


def steps(bench: Bench) -> list[Step]:
    asked = [subject for subject in bench.subjects if subject.key in SUBJECTS]
    if not asked:
        return []
    counts, under = bench.counts, Servers(bench)

    def measurements() -> Iterator[Step]:
        for clients in counts.clients:
            for server in SERVERS:
                for subject in asked:
                    run = partial(under.measure, server, subject, clients)
                    label = f"{subject.key} under {server}, {clients} clients"
                    yield Step(label, counts.seconds + 0.2, run)

    return [
        Step("the site under each web server", 8, under.start),
        *interleaved(counts.rounds, measurements),
        Step("they end", 1, under.stack.close),
    ]


class Servers:
    """The site under every server at once, each on a port of its own; one is asked at a time."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.stack = ExitStack()
        self.urls: dict[str, str] = {}

    def start(self) -> None:
        self.bench.stack.enter_context(self.stack)
        for name, command in SERVERS.items():
            self.urls[name] = self.start_one(name, command)

    def start_one(self, name: str, command: Callable[[str, int, int], tuple[str, ...]]) -> str:
        bench, host, port = self.bench, "127.0.0.1", free_port()
        project = bench.projects[SITE]
        log = bench.folder / f"{name}.log"
        words = command(host, port, bench.workers)
        process = self.stack.enter_context(
            running(project.variables, python_with_servers(), "-m", *words, log=log)
        )
        url, deadline = f"http://{host}:{port}", time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                httpx.get(f"{url}/healthz", timeout=5).raise_for_status()
                return url
            except httpx.HTTPError:
                time.sleep(0.05)
        raise StageError(f"{name} did not start: {last_line(log.read_text())}")

    def measure(self, server: str, subject: Subject, clients: int) -> None:
        bench, headers = self.bench, self.bench.login(subject).headers
        url = self.urls[server] + subject.whoami
        for _ in range(REQUESTS):  # what the first requests of a worker pay for all
            httpx.get(url, headers=headers).raise_for_status()
        load = bench.driver.drive(url, headers, clients=clients, seconds=bench.counts.seconds)
        bench.readings.add(
            "server_requests_per_second",
            server,
            "1/s",
            load.per_second,
            strategy=subject.key,
            clients=clients,
        )


def python_with_servers() -> Path:
    """The environment of the peers has the site's own packages too, and the servers."""
    return environment.python_with_peers(settings.VAR_DIR / "benchmark" / "peers")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
