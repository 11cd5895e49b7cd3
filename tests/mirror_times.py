"""How long after a revocation is the last request let in, in any process? `make mirror-times`.

No test: nothing is asserted of a time, and `pytest` alone does not collect this file. Several
processes check one login after the other, as requests do, each in threads that are busy
meanwhile or in one that is idle. A login is revoked as each mirror hears of it: with `Copies`
(`session-push`) its session is deleted, with `Whole` (`jwt-push`) its device is put on the
denylist. What counts is how long after Redis answered that, a check was still begun somewhere that
let it in; 0 where none was. It prints what `docs/security.md` shows.
"""

import hashlib
import json
import multiprocessing
import os
import platform
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import quantiles
from typing import Any

import pytest
from pytest_django import Settings
from redis import Redis

from accounts.mirror import Copies, InThisProcess, Mirror, Whole
from lab.benchmark.conditions import listed
from tests.outages import PrivateRedis, needs_redis_server, private_redis

pytestmark = needs_redis_server

REVOCATIONS = int(os.environ.get("MIRROR_REVOCATIONS", "1000"))
PROCESSES = 4
QUIET_SECONDS = 0.02
"""A process is asked for its last acceptance when it has had so much time to make one."""
WORK = {"a": list(range(20))}
PREFIX = "login:"
SPAWNED = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Kind:
    """One kind of mirror: what Redis holds of a login that goes on, and of one that was ended."""

    mirror: type[Mirror]
    live: bytes | None
    ended: bytes | None

    def __str__(self) -> str:
        return self.mirror.__name__


KINDS = (Kind(Copies, live=b"live", ended=None), Kind(Whole, live=None, ended=b"1"))


def put(redis: Redis, name: str, value: bytes | None) -> None:
    redis.delete(name) if value is None else redis.set(name, value)


class Checks:
    """The threads of one process that check the login `name`, and when it was let in last."""

    def __init__(self, address: str, kind: Kind, busy: bool) -> None:
        self.redis, self.live = Redis(unix_socket_path=address), kind.live
        self.mirror = InThisProcess(kind.mirror, PREFIX, most=2 * REVOCATIONS).of(self.redis)
        self.busy, self.name = busy, ""
        self.last = 0.0

    def run(self) -> None:
        while True:
            if self.busy:  # half a millisecond or so without letting go of the interpreter
                for _ in range(10):
                    hashlib.sha256(json.dumps(json.loads(json.dumps(WORK))).encode())
            else:
                time.sleep(0.0002)
            name = self.name
            began = time.monotonic()
            found = self.mirror.get([name])
            if found == [self.live] and name == self.name:
                self.last = max(self.last, began)


def process(address: str, kind: Kind, threads: int, pipe: Any) -> None:
    checks = Checks(address, kind, busy=threads > 0)
    for _ in range(max(threads, 1)):
        threading.Thread(target=checks.run, daemon=True).start()
    while name := pipe.recv():
        if name == "last":
            pipe.send(checks.last)
            continue
        checks.last, checks.name = 0.0, name
        while not checks.last or checks.mirror.known([name]) is None:
            time.sleep(0.001)
        pipe.send("lets it in")


def measure(address: str, kind: Kind, threads: int) -> list[float]:
    """Seconds for each revocation."""
    pipes = []
    for _ in range(PROCESSES):
        here, there = SPAWNED.Pipe()
        SPAWNED.Process(target=process, args=(address, kind, threads, there), daemon=True).start()
        pipes.append(here)

    def all_of_them(say: str) -> list[Any]:
        for pipe in pipes:
            pipe.send(say)
        return [pipe.recv() for pipe in pipes]

    seconds = []
    with Redis(unix_socket_path=address) as redis:
        redis.flushall()
        for number in range(REVOCATIONS):
            name = f"{PREFIX}{number}"
            put(redis, name, kind.live)
            all_of_them(name)
            put(redis, name, kind.ended)
            answered = time.monotonic()
            time.sleep(QUIET_SECONDS)
            seconds.append(max(0.0, max(all_of_them("last")) - answered))
    for pipe in pipes:
        pipe.send("")
    return seconds


def conditions(server: PrivateRedis) -> str:
    """One line, as below the benchmark's tables."""
    # Here, because the processes import this module as well, without Django.
    from lab.benchmark.run.facts import cpu, redis_facts

    found = {
        "command": "make mirror-times",
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "load at start": round(os.getloadavg()[0], 1),
        "system": platform.platform(terse=True),
        "versions": {"Python": platform.python_version()},
        "server": "none: processes that check and do nothing else",
        "workers": PROCESSES,
        "redis": redis_facts(server.url),
        "database": "none",
        "counts": {"revocations": REVOCATIONS},
    }
    made = datetime.now(UTC).isoformat(timespec="minutes")
    return "; ".join(f"{name}: {words}" for name, words in listed(made, found))


@pytest.mark.timeout(3600)
def test_mirror_times(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with private_redis(settings) as server, capsys.disabled():
        conditions_at_start = conditions(server)
        print("\n\n| mirror | in each process | p50 (ms) | p99 (ms) | max (ms) |")
        print("|---|---|--:|--:|--:|")
        for kind in KINDS:
            for threads in (0, 1, 3):
                seconds = measure(str(server.socket), kind, threads)
                cuts = quantiles(seconds, n=100, method="inclusive")
                found = (cuts[49], cuts[98], max(seconds))
                busy = f"busy threads: {threads}" if threads else "idle"
                times = " | ".join(f"{1e3 * each:.2f}" for each in found)
                print(f"| `{kind}` | {busy} | {times} |", flush=True)
        print(f"\n{conditions_at_start}")
