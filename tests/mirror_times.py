"""How long after a revocation is the last request let in, in any process? `make mirror-times`.

No test: nothing is asserted of a time, and `pytest` alone does not collect this file. Several
processes check one session after the other, as requests do, each in threads that are busy
meanwhile or in one that is idle. The session is deleted; what counts is how long after Redis
answered that, a check was still begun somewhere that let it in; 0 where none was.
"""

import hashlib
import json
import multiprocessing
import os
import threading
import time
from statistics import quantiles
from typing import Any

import pytest
from pytest_django import Settings
from redis import Redis

from accounts.mirror import Copies, InThisProcess
from tests.outages import PrivateRedis, needs_redis_server

pytestmark = needs_redis_server

REVOCATIONS = int(os.environ.get("MIRROR_REVOCATIONS", "1000"))
PROCESSES = 4
QUIET_SECONDS = 0.02
"""A process is asked for its last acceptance when it has had so much time to make one."""
WORK = {"a": list(range(20))}
SPAWNED = multiprocessing.get_context("spawn")


class Checks:
    """The threads of one process that check the session `name`, and when it was let in last."""

    def __init__(self, address: str, busy: bool) -> None:
        self.redis = Redis(unix_socket_path=address)
        self.mirror = InThisProcess(Copies, "session:", most=1000).of(self.redis)
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
            if found == [b"live"] and name == self.name:
                self.last = max(self.last, began)


def process(address: str, threads: int, pipe: Any) -> None:
    checks = Checks(address, busy=threads > 0)
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


def measure(address: str, threads: int) -> list[float]:
    """Seconds for each revocation."""
    pipes = []
    for _ in range(PROCESSES):
        here, there = SPAWNED.Pipe()
        SPAWNED.Process(target=process, args=(address, threads, there), daemon=True).start()
        pipes.append(here)

    def all_of_them(say: str) -> list[Any]:
        for pipe in pipes:
            pipe.send(say)
        return [pipe.recv() for pipe in pipes]

    seconds = []
    with Redis(unix_socket_path=address) as redis:
        for number in range(REVOCATIONS):
            name = f"session:{number}"
            redis.set(name, "live")
            all_of_them(name)
            redis.delete(name)
            answered = time.monotonic()
            time.sleep(QUIET_SECONDS)
            seconds.append(max(0.0, max(all_of_them("last")) - answered))
    for pipe in pipes:
        pipe.send("")
    return seconds


@pytest.mark.timeout(1800)
def test_mirror_times(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    server = PrivateRedis(settings)
    server.start()
    with capsys.disabled():
        print(f"\n{REVOCATIONS} revocations, {PROCESSES} processes, {os.cpu_count()} cores")
        for threads in (0, 1, 3):
            seconds = measure(str(server.socket), threads)
            cuts = quantiles(seconds, n=100, method="inclusive")
            kind = f"{threads} busy threads in each" if threads else "idle"
            print(
                f"  {kind:24} until the last one was let in anywhere: p50 {cuts[49] * 1e3:.2f} ms, "
                f"p99 {cuts[98] * 1e3:.2f} ms, max {max(seconds) * 1e3:.2f} ms"
            )
    server.end()
