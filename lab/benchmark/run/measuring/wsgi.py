"""Which web server should answer? The same site, on as many workers, under each of them.

Why it is asked at all: what a server spends on a request is spent by every strategy alike, and
hides what they differ by. One strategy is the one that costs the least, so that the server shows.

Speed is not all that is asked of a server: beside clients that begin a request and do not end it,
as many as there are workers, the others want to be answered as well.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from django.conf import settings

from accounts.client import authorities
from lab.benchmark.measures import SLOW_ASKED, SLOW_SECONDS
from lab.benchmark.run import environment
from lab.benchmark.run.measuring.request import REQUESTS
from lab.benchmark.run.plan import Bench, Step, interleaved
from lab.benchmark.run.servers import START_SECONDS
from lab.benchmark.run.subjects import SITE, Subject
from lab.benchmark.servers import IN_USE
from lab.staging.gunicorn_config import threads
from lab.staging.processes import StageError, last_line, running

APPLICATION = "authdemo.wsgi:application"
SUBJECTS = ("jwt-expiry", "session-redis")


def gunicorn(kind: str) -> Callable[[str, int, int], tuple[str, ...]]:
    def command(host: str, port: int, workers: int) -> tuple[str, ...]:
        return (
            "gunicorn",
            APPLICATION,
            f"--worker-class={kind}",
            f"--workers={workers}",
            f"--threads={threads if kind == 'gthread' else 1}",
            f"--bind={host}:{port}",
            "--keep-alive=75",
        )

    return command


def granian(host: str, port: int, workers: int) -> tuple[str, ...]:
    words = f"--interface wsgi --workers {workers} --blocking-threads {threads} --no-ws"
    return ("granian", *words.split(), "--host", host, "--port", str(port), APPLICATION)


def waitress(host: str, port: int, workers: int) -> tuple[str, ...]:
    """One process, whatever was asked for: it knows no other way."""
    return (
        "waitress",
        f"--listen={host}:{port}",
        f"--threads={workers * threads}",
        APPLICATION,
    )


SERVERS: dict[str, Callable[[str, int, int], tuple[str, ...]]] = {
    IN_USE: gunicorn("gthread"),
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
        for server in SERVERS:
            run = partial(under.measure_beside_slow, server, asked[0])
            yield Step(f"{server} beside slow clients", SLOW_SECONDS, run)

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
                httpx.get(f"{url}/healthz", timeout=5, verify=authorities()).raise_for_status()
                return url
            except httpx.HTTPError:
                time.sleep(0.05)
        raise StageError(f"{name} did not start: {last_line(log.read_text())}")

    def measure(self, server: str, subject: Subject, clients: int) -> None:
        bench, headers = self.bench, self.bench.login(subject).headers
        url = self.urls[server] + subject.whoami
        for _ in range(REQUESTS):  # what the first requests of a worker pay for all
            httpx.get(url, headers=headers, verify=authorities()).raise_for_status()
        load = bench.driver.drive(url, headers, clients=clients, seconds=bench.counts.seconds)
        bench.readings.add(
            "server_requests_per_second",
            server,
            "1/s",
            load.per_second,
            strategy=subject.key,
            clients=clients,
        )

    def measure_beside_slow(self, server: str, subject: Subject) -> None:
        bench, url = self.bench, self.urls[server]
        headers = bench.login(subject).headers
        with slow_clients(url, bench.workers):
            answered = answered_in_time(url + subject.whoami, headers)
        bench.readings.add(
            "server_answers_beside_slow", server, "", answered, slow_clients=bench.workers
        )


@contextmanager
def slow_clients(url: str, many: int) -> Iterator[None]:
    """So many who have sent the first line of a request, and nothing more, until the block ends."""
    parts = urlsplit(url)
    with ExitStack() as stack:
        for _ in range(many):
            address = (str(parts.hostname), parts.port)
            client = stack.enter_context(socket.create_connection(address, timeout=10))
            client.sendall(b"GET /healthz HTTP/1.1\r\n")
        time.sleep(SLOW_SECONDS / 4)  # until each was accepted by whoever is free
        yield


def answered_in_time(url: str, headers: Mapping[str, str]) -> int:
    """How many of `SLOW_ASKED` others, who ask at once, are answered within `SLOW_SECONDS`."""

    def is_answered(_: int) -> bool:
        try:
            answer = httpx.get(url, headers=headers, timeout=SLOW_SECONDS, verify=authorities())
            return answer.is_success
        except httpx.TimeoutException:
            return False

    with ThreadPoolExecutor(SLOW_ASKED) as others:
        return sum(others.map(is_answered, range(SLOW_ASKED)))


def python_with_servers() -> Path:
    """The environment of the peers has the site's own packages too, and the servers."""
    return environment.python_with_peers(settings.VAR_DIR / "benchmark" / "peers")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
