"""Is a mirror ever wrong, whatever happens at the same time? Several processes try at random.

`make mirror` runs it at its full count: 10 000 000 reads and changes.
"""

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from multiprocessing.context import SpawnProcess
from typing import Any

import pytest
from redis import Redis

from tests.accounts.mirror_model import SPAWNED, Model, Report, run
from tests.accounts.mirroring import listeners
from tests.outages import PrivateRedis, needs_redis_server

pytestmark = [pytest.mark.once, pytest.mark.slow, needs_redis_server]

STEPS = int(os.environ.get("MIRROR_STEPS", "60000"))
SEED = os.environ.get("MIRROR_SEED", str(random.randrange(10**9)))
IN_FULL = STEPS > 1_000_000
KEYS = 10_000 if IN_FULL else 1_000
PROCESSES, THREADS = 3, 2
CHANGES = 0.05
SECONDS_BETWEEN_CUTS = (0.5, 4.0) if IN_FULL else (0.1, 0.5)


class Cuts:
    """What else happens meanwhile."""

    def __init__(self, server: PrivateRedis, model: Model, processes: list[SpawnProcess]) -> None:
        self.server, self.model, self.processes = server, model, processes
        self.locks: list[Any] = []
        self.random = random.Random(SEED)
        self.made: dict[str, int] = {}

    def one(self) -> None:
        kinds: list[Callable[[], None]] = [
            self.listeners_killed,
            self.everybody_killed,
            self.all_deleted,
            self.server_stopped,
            self.process_stopped,
            self.server_restarted,
        ]
        cut = self.random.choice(kinds)
        self.made[cut.__name__] = self.made.get(cut.__name__, 0) + 1
        cut()

    def redis(self) -> Redis:
        return Redis(unix_socket_path=str(self.server.socket))

    def listeners_killed(self) -> None:
        with self.redis() as redis:
            for each in listeners(redis):
                redis.client_kill_filter(_id=each)

    def everybody_killed(self) -> None:
        self.server.tell("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def all_deleted(self) -> None:
        with ExitStack() as nobody_changes, self.redis() as redis:
            for lock in self.locks:
                nobody_changes.enter_context(lock)
            self.model.all_deleted(redis)

    def server_stopped(self) -> None:
        self.server.signal(signal.SIGSTOP)
        time.sleep(self.random.uniform(0, 2.5))
        self.server.signal(signal.SIGCONT)

    def process_stopped(self) -> None:
        pid = self.random.choice(self.processes).pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        time.sleep(self.random.uniform(0, 2.5))
        os.kill(pid, signal.SIGCONT)

    def server_restarted(self) -> None:
        self.server.end(signal.SIGTERM)
        self.server.start()


@pytest.mark.thorough
def test_no_revoked_name_is_accepted_after_the_bound_and_none_that_is_live_refused(
    server: PrivateRedis, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Model(KEYS)
    barrier, out = SPAWNED.Barrier(PROCESSES + 1), SPAWNED.SimpleQueue()
    locks = [[SPAWNED.Lock() for _ in range(THREADS)] for _ in range(PROCESSES)]
    plan = (SEED, STEPS // PROCESSES // THREADS, CHANGES, barrier)
    processes = [
        SPAWNED.Process(
            target=run,
            args=(str(server.socket), model, (number, PROCESSES), locks[number], plan, out),
        )
        for number in range(PROCESSES)
    ]
    cuts = Cuts(server, model, processes)
    cuts.locks = [lock for some in locks for lock in some]
    began = time.monotonic()
    for process in processes:
        process.start()
    try:
        while barrier.n_waiting < PROCESSES:
            assert all(process.exitcode is None for process in processes), "one died"
            time.sleep(cuts.random.uniform(*SECONDS_BETWEEN_CUTS))
            cuts.one()
        barrier.wait()  # from here on all is quiet
        report = Report()
        for _ in processes:
            report.add(out.get())
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.kill()
    with capsys.disabled() if IN_FULL else nullcontext():
        seconds = time.monotonic() - began
        print(f"\n{summary(report)}; {cuts.made}; {seconds:.0f} s")  # noqa: T201
    assert not report.wrong, f"seed {SEED}: {len(report.wrong)} wrong: {report.wrong[:5]}"
    assert report.from_memory > report.reads / 10
    assert report.changes


def summary(report: Report) -> str:
    return (
        f"seed {SEED}: {report.reads:,} answers, {report.from_memory:,} from memory; "
        f"{report.changes:,} changes; {report.in_vain:,} questions while Redis was away; "
        f"{len(report.wrong)} wrong; {report.late:,} late, at most {report.latest * 1000:.1f} ms"
    )
