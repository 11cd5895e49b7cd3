"""How long does a login live on after it was ended? Until the last worker refuses it.

As `lab.benchmark` measures it: the clock starts when the answer to the revoking call is there, and
every worker process is asked on a connection of its own, again and again, until it has refused.
"""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from redis.exceptions import RedisError

from accounts.auth_redis import auth_redis
from accounts.contract.errors import StoreUnavailable
from lab.differences import difference
from lab.side.ways import UNDER, WAYS, Act, Way, nothing_to_do, scene_for
from lab.side.workers import Worker, answering, each_worker
from lab.simulated import refuse_simulated_redis
from lab.strategies import Strategy

WATCHED_SECONDS = 2.0
PAUSE_SECONDS = 0.001
IDLE_SECONDS = 0.5
LOCK = "lab:meter"
LOCK_SECONDS = 60
# Only for who holds it: a measurement that outlived its lock leaves the next one's alone.
UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('del', KEYS[1]) end"


class UnderWay(Exception):
    """Raised while somebody else measures: two at once would time each other."""


@dataclass(frozen=True)
class Seen:
    """What one worker did: so many answers as if nothing had been, then a refusal, or none.

    `after` counts milliseconds from the answer to the revoking call; None: none was seen.
    """

    pid: int
    accepted: int
    after: float | None
    code: str = ""


def measure(strategy: Strategy, how: str, *, address: str, worker_path: str) -> dict[str, Any]:
    """Log a new user in, end that login, and time when each worker knows.

    Returns `{"workers", "took", "watched", "until", "because"}`: what each worker did, in the form
    of `Seen`; the milliseconds of the revoking call; the seconds for which it was watched; when a
    credential that is still accepted ends by itself, in Unix seconds; and why nothing was ended,
    where nothing should be.
    Raises `NotOffered`, `UnderWay`, `Simulated`, `StoreUnavailable`, `Unreachable`, `Refused`.
    """
    refuse_simulated_redis()
    url, way = f"http://{address}", WAYS[how]
    with answering(address), only_one(), scene_for(url, strategy) as scene, nothing_to_do():
        act = way.prepare(scene)
        path = f"{UNDER}{strategy.key}/whoami/"
        with each_worker(address, worker_path) as workers:
            probe = Probe(way, path, scene.presented(), idle_path=worker_path)
            seen, took = timed(act, probe, workers)
        # What ends by itself alone is a token, and clocks may differ by the leeway.
        is_token = difference("whoami_after_logout", strategy.key) == 200
        return {
            "workers": [asdict(each) for each in seen],
            "took": took,
            "watched": WATCHED_SECONDS,
            "until": scene.ends + (settings.LEEWAY_SECONDS if is_token else 0),
            "because": way.why_not(strategy.key),
        }


def timed(act: Act, probe: Probe, workers: list[Worker]) -> tuple[list[Seen], float]:
    """Do it, and watch every worker from the moment of its answer; milliseconds of the call."""
    clock = Clock()
    with ThreadPoolExecutor(len(workers)) as threads:
        watching = [threads.submit(watched, worker, probe, clock) for worker in workers]
        began = time.perf_counter()
        try:
            act()
        except BaseException:
            clock.start(at=-math.inf)  # there is nothing to watch
            raise
        answered = clock.start(at=time.perf_counter())
        return [each.result() for each in watching], 1000 * (answered - began)


class Clock:
    """What all watchers wait for: the answer to the revoking call."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.at = 0.0

    def start(self, *, at: float) -> float:
        self.at = at
        self.started.set()
        return at

    def elapsed(self) -> float:
        return time.perf_counter() - self.at


@dataclass(frozen=True)
class Probe:
    """What is asked of every worker, with the credential as it was."""

    way: Way
    path: str
    headers: dict[str, str]
    idle_path: str


def watched(worker: Worker, probe: Probe, clock: Clock) -> Seen:
    """Ask one worker until it knows, or until the time is over."""
    while not clock.started.wait(IDLE_SECONDS):
        # A server closes what is idle for two seconds, and hashing a password may take that long.
        worker.get(probe.idle_path, {})
    accepted = 0
    while clock.elapsed() < WATCHED_SECONDS:
        status, answer = worker.get(probe.path, probe.headers)
        if probe.way.is_seen(status, answer):
            return Seen(worker.pid, accepted, 1000 * clock.elapsed(), answer.get("code", ""))
        if status == 503:
            raise StoreUnavailable("during a measurement")
        accepted += 1
        time.sleep(PAUSE_SECONDS)
    return Seen(worker.pid, accepted, None)


@contextmanager
def only_one() -> Iterator[None]:
    """Nobody else measures meanwhile, on any worker. Raises `UnderWay`."""
    holder = secrets.token_hex(8)
    try:
        if not auth_redis().set(LOCK, holder, nx=True, ex=LOCK_SECONDS):
            raise UnderWay
        yield
    except RedisError as error:
        raise StoreUnavailable(f"redis: {type(error).__name__}") from error
    finally:
        auth_redis().eval(UNLOCK, 1, LOCK, holder)
