"""How many requests a second, and how long does each take? `whoami` over HTTP, under load.

Every worker's CPU time is read before and after, so that a figure is there which a busy machine
does not change as much.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from lab.benchmark.run.measuring.request import ask
from lab.benchmark.run.plan import Bench, Step, interleaved
from lab.benchmark.run.servers import Server
from lab.benchmark.run.subjects import Subject
from lab.benchmark.run.wrk import OVERHEAD_SECONDS, Load


def steps(bench: Bench) -> list[Step]:
    counts = bench.counts

    def warm_ups() -> Iterator[Step]:
        for subject in bench.subjects:
            seconds = counts.warm_up_seconds
            run = partial(warm_up, bench, bench.server(subject), subject)
            yield Step(f"{subject.key} warms up", seconds + OVERHEAD_SECONDS, run)

    def measurements() -> Iterator[Step]:
        for clients in counts.clients:
            for subject in bench.subjects:
                label = f"{subject.key}, {clients} clients"
                run = partial(measure, bench, subject, clients)
                yield Step(label, counts.seconds + OVERHEAD_SECONDS, run)

    return [*warm_ups(), *interleaved(counts.rounds, measurements)]


def warm_up(bench: Bench, server: Server, subject: Subject) -> None:
    """Imports, caches, connections: what the first requests of every worker pay for all."""
    for worker in server.each_worker:
        ask(worker, subject.whoami, bench.login(subject).headers)
    if bench.counts.warm_up_seconds:
        drive(bench, server, subject, clients=20, seconds=bench.counts.warm_up_seconds)


def drive(bench: Bench, server: Server, subject: Subject, *, clients: int, seconds: float) -> Load:
    headers = bench.login(subject).headers
    return bench.driver.drive(
        server.url + subject.whoami, headers, clients=clients, seconds=seconds
    )


def measure(bench: Bench, subject: Subject, clients: int) -> None:
    server = bench.server(subject)
    before = server.cpu_seconds()
    load = drive(bench, server, subject, clients=clients, seconds=bench.counts.seconds)
    used = server.cpu_seconds() - before
    add = bench.readings.add
    add("requests_per_second", subject.key, "1/s", load.per_second, clients=clients)
    for name in ("latency_mean", "latency_p50", "latency_p95", "latency_p99"):
        add(name, subject.key, "ms", getattr(load, name), clients=clients)
    add("errors", subject.key, "", load.errors, clients=clients)
    add("cpu_milliseconds", subject.key, "ms", 1000 * used / load.requests, clients=clients)
