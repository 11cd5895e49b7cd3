"""At which distance of Redis does which design win? The same request while it is further away.

The servers are started once more, with a wire between them and the same Redis: what is live
here is live there. How far away Redis really is, is measured through the wire by PING.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from subprocess import Popen
from urllib.parse import parse_qs, urlsplit, urlunsplit

import redis

from lab.benchmark.run.measuring.speed import drive, warm_up
from lab.benchmark.run.plan import Bench, Step, interleaved
from lab.benchmark.run.servers import Server, serving
from lab.benchmark.run.subjects import SITE, Subject
from lab.benchmark.run.wrk import OVERHEAD_SECONDS
from lab.staging.processes import StageError, running

PINGS = 100
START_SECONDS = 3


def steps(bench: Bench) -> list[Step]:
    counts = bench.counts
    subjects = [
        subject for subject in bench.subjects if counts.peers_throughout or subject.server == SITE
    ]
    if not subjects:
        return []
    far = FarServers(bench, subjects)

    def measurements() -> Iterator[Step]:
        for distance in counts.distances:
            label = f"Redis {distance:g} ms away"
            yield Step(label, 0.3, partial(far.move, distance))
            for subject in subjects:
                run = partial(far.measure, subject, distance)
                seconds = counts.distance_seconds + OVERHEAD_SECONDS
                yield Step(f"{subject.key}, {label}", seconds, run)

    return [
        Step("the same servers, further away from Redis", START_SECONDS, far.start),
        *interleaved(counts.distance_rounds, measurements),
        Step("they end", 1, far.stack.close),
    ]


class FarServers:
    """The servers of these subjects once more, behind a wire."""

    def __init__(self, bench: Bench, subjects: Sequence[Subject]) -> None:
        self.bench = bench
        self.subjects = subjects
        self.stack = ExitStack()
        self.servers: dict[str, Server] = {}
        self.wire: Popen[str]
        self.redis_url = ""

    def start(self) -> None:
        bench = self.bench
        bench.stack.enter_context(self.stack)
        target, url_through = around(bench.redis_url)
        wire = (sys.executable, "-m", "lab.benchmark.run.wire", target)
        log = bench.folder / "wire.log"
        self.wire = self.stack.enter_context(running({}, *wire, log=log))
        self.redis_url = url_through(int(self.answer()))
        names = {subject.server for subject in self.subjects}
        projects = [
            replace(
                project,
                name=f"{name}-far",
                variables=project.variables | {"REDIS_URL": self.redis_url},
            )
            for name, project in bench.projects.items()
            if name in names
        ]
        # One worker: the one client that asks has one connection, and a connection has one worker.
        started = self.stack.enter_context(serving(projects, 1, bench.folder))
        self.servers = {name: started[f"{name}-far"] for name in names}
        for subject in self.subjects:
            warm_up(bench, self.servers[subject.server], subject)

    def answer(self) -> str:
        assert self.wire.stdout is not None
        said = self.wire.stdout.readline().strip()
        if not said:
            raise StageError("The wire to Redis could not be started.")
        return said

    def move(self, distance: float) -> None:
        """Put Redis so many milliseconds away, and see that it is."""
        assert self.wire.stdin is not None
        self.wire.stdin.write(f"{distance}\n")
        self.wire.stdin.flush()
        self.answer()
        self.bench.readings.add(
            "redis_round_trip", "redis", "ms", self.round_trip(), redis_milliseconds=distance
        )

    def round_trip(self) -> float:
        """The median of `PINGS` through the wire, in milliseconds."""
        taken = []
        with redis.Redis.from_url(self.redis_url) as client:
            client.ping()
            for _ in range(PINGS):
                before = time.perf_counter()
                client.ping()
                taken.append(time.perf_counter() - before)
        return 1000 * sorted(taken)[PINGS // 2]

    def measure(self, subject: Subject, distance: float) -> None:
        bench = self.bench
        load = drive(
            bench,
            self.servers[subject.server],
            subject,
            clients=1,  # each request on its own: nobody's waiting hides behind another's
            seconds=bench.counts.distance_seconds,
        )
        bench.readings.add(
            "crossover", subject.key, "ms", load.latency_p50, redis_milliseconds=distance
        )


def around(url: str) -> tuple[str, Callable[[int], str]]:
    """Where the wire ends, and what makes the URL of its beginning from its port."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        database = parse_qs(parts.query).get("db", ["0"])[0]
        return parts.path, lambda port: f"redis://127.0.0.1:{port}/{database}"
    if parts.scheme != "redis":
        raise StageError("The crossover cannot be measured over TLS: --only something else.")
    login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    target = f"{parts.hostname}:{parts.port or 6379}"
    return target, lambda port: urlunsplit(parts._replace(netloc=f"{login}127.0.0.1:{port}"))
