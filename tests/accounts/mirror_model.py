"""What may a mirror say while others change the keys? A model that every process can look into.

Each change of a key makes its next version, and is noted in shared memory before it is sent
and again when Redis has answered. An answer is right if what it says was true at some moment
between `BOUND_SECONDS` before the question and the answer.
"""

import multiprocessing
import random
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from accounts.announcements import now
from accounts.mirror import TRUST_SECONDS, Copies, InThisProcess, Mirror, Whole
from tests.accounts.mirroring import eventually

BOUND_SECONDS = TRUST_SECONDS
COOLED_SECONDS = 2 * BOUND_SECONDS
"""A key is left alone for so long after a change that an old answer has no excuse."""
REMEMBERED = 8
CHANGED_LATELY = 64
SPAWNED = multiprocessing.get_context("spawn")


class Model:
    """For each key: which change was sent last, which was answered, and when."""

    def __init__(self, keys: int) -> None:
        self.keys = keys
        self.begun = SPAWNED.RawArray("q", keys)
        self.done = SPAWNED.RawArray("q", keys)
        self.done_at = SPAWNED.RawArray("d", keys * REMEMBERED)
        self.is_gone = SPAWNED.RawArray("b", [1] * keys * REMEMBERED)
        self.lately = SPAWNED.RawArray("q", CHANGED_LATELY)

    def begin(self, key: int, *, gone: bool) -> int:
        version = self.begun[key] + 1
        self.is_gone[key * REMEMBERED + version % REMEMBERED] = gone
        self.begun[key] = version
        return version

    def end(self, key: int) -> None:
        version = self.begun[key]
        self.done_at[key * REMEMBERED + version % REMEMBERED] = now()
        self.done[key] = version
        self.lately[version % CHANGED_LATELY] = key

    def gone(self, key: int, version: int) -> bool:
        return bool(self.is_gone[key * REMEMBERED + version % REMEMBERED])

    def answered_at(self, key: int, version: int) -> float:
        return self.done_at[key * REMEMBERED + version % REMEMBERED]

    def all_deleted(self, redis: Redis) -> None:
        """FLUSHDB. Nobody may change anything meanwhile."""
        there = [key for key in range(self.keys) if not self.gone(key, self.done[key])]
        for key in there:
            # One that is about to expire has begun to be gone already.
            if self.begun[key] == self.done[key]:
                self.begin(key, gone=True)
        redis.flushdb()
        for key in there:
            self.end(key)

    def judge(self, key: int, answer: bytes | None, asked: float, done: int) -> float | None:
        """By how many seconds is it late? None: it was never true, or not for too long.

        `asked` and `done` are from before the question.
        """
        last, version = self.begun[key], done
        if any(self._says(key, each, answer) for each in range(done, last + 1)):
            return 0.0
        while version > 0 and done - version < REMEMBERED - 2:
            late = asked - self.answered_at(key, version)
            if late > BOUND_SECONDS:
                return None
            version -= 1
            if self._says(key, version, answer):
                return late
        return None

    def _says(self, key: int, version: int, answer: bytes | None) -> bool:
        return self.gone(key, version) if answer is None else int(answer) == version


def name_of(key: int) -> str:
    return f"session:{key}" if key % 2 else f"denied:{key}"


@dataclass
class Report:
    """What the threads of one process have done and seen."""

    reads: int = 0
    from_memory: int = 0
    changes: int = 0
    in_vain: int = 0
    late: int = 0
    latest: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: "Report") -> None:
        for name in ("reads", "from_memory", "changes", "in_vain", "late"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.latest = max(self.latest, other.latest)
        self.wrong += other.wrong


class Worker:
    """One thread: it asks for any key, and changes those that are its own."""

    def __init__(self, model: Model, redis: Redis, mirrors: list[InThisProcess], seed: str) -> None:
        self.model, self.redis, self.mirrors = model, redis, mirrors
        self.random = random.Random(seed)
        self.report = Report()
        self.expiring: deque[tuple[float, int]] = deque()

    def work(self, steps: int, own: list[int], changes: float, lock: Any) -> None:
        for _ in range(steps):
            if self.random.random() >= changes:
                self.look(self.some_key())
                continue
            with lock:
                self.note_expired()
                self.change(self.random.choice(own))
        while self.expiring:
            with lock:
                self.note_expired()

    def some_key(self) -> int:
        if self.random.random() < 0.3:
            return self.model.lately[self.random.randrange(CHANGED_LATELY)]
        return self.random.randrange(self.model.keys)

    def mirror_of(self, key: int) -> Mirror:
        return self.mirrors[key % 2].of(self.redis)

    def look(self, key: int) -> None:
        mirror, names = self.mirror_of(key), [name_of(key)]
        asked, done = now(), self.model.done[key]
        answer = mirror.known(names)
        self.report.from_memory += answer is not None
        if answer is None:
            try:
                answer = mirror.get(names)
            except RedisError:
                self.report.in_vain += 1
                return
        self.report.reads += 1
        late = self.model.judge(key, answer[0], asked, done)
        if late is None:
            self.report.wrong.append(f"{names[0]} is {answer[0]!r} after version {done}")
        elif late:
            self.report.late += 1
            self.report.latest = max(self.report.latest, late)

    def change(self, key: int) -> None:
        done = self.model.done[key]
        is_cool = now() - self.model.answered_at(key, done) > COOLED_SECONDS or not done
        if not is_cool or self.model.begun[key] != done:
            return
        self.report.changes += 1
        if self.model.gone(key, done) or self.random.random() < 0.2:
            self.write(key)
        else:
            self.delete(key)
        if self.random.random() < 0.3:
            self.mirrors[key % 2].forget([name_of(key)])

    def write(self, key: int) -> None:
        version = self.model.begin(key, gone=False)
        life = self.random.choice([None, None, self.random.randrange(20, 500)])
        self.until_answered(lambda: self.redis.set(name_of(key), version, px=life))
        self.model.end(key)
        if life is not None:
            self.model.begin(key, gone=True)
            self.expiring.append((now() + life / 1000 + 0.01, key))

    def delete(self, key: int) -> None:
        name = name_of(key)
        self.model.begin(key, gone=True)
        how = self.random.choice(["DEL", "UNLINK", "PEXPIREAT"])
        words = [how, name, 1] if how == "PEXPIREAT" else [how, name]
        self.until_answered(lambda: self.redis.execute_command(*words))
        self.model.end(key)

    def note_expired(self) -> None:
        for _ in range(len(self.expiring)):
            at, key = self.expiring.popleft()
            if self.model.begun[key] == self.model.done[key]:
                continue  # FLUSHDB came first
            if now() > at:
                self.model.end(key)
            else:
                self.expiring.append((at, key))

    def until_answered(self, call: Any) -> None:
        while True:
            with suppress(RedisError):
                call()
                return

    def verify(self, key: int) -> None:
        """Nobody changes anything any more: what is there is accepted, and nothing else."""
        mirror, names, version = self.mirror_of(key), [name_of(key)], self.model.done[key]
        right = [None if self.model.gone(key, version) else str(version).encode()]

        def answers_right() -> bool:
            with suppress(RedisError):
                return mirror.get(names) == right
            return False

        try:
            eventually(answers_right)
        except AssertionError:
            said = mirror.known(names), mirror.client.mget(names)
            self.report.wrong.append(f"{names[0]} was never {right} at the end, but {said}")
        known = mirror.known(names)
        if known not in (None, right):
            self.report.wrong.append(f"{names[0]} is {known} at the end, not {right}")


def run(
    address: str, model: Model, share: tuple[int, int], locks: list[Any], plan: Any, out: Any
) -> None:
    """One process: `plan` is (seed, steps of each thread, share of changes, barrier)."""
    number, processes = share
    seed, steps, changes, barrier = plan
    redis = Redis(unix_socket_path=address, socket_timeout=0.5, retry=Retry(NoBackoff(), 0))
    mirrors = [
        InThisProcess(Whole, "denied:", most=model.keys),
        InThisProcess(Copies, "session:", most=model.keys // 4),
    ]
    workers = [Worker(model, redis, mirrors, f"{seed}:{number}:{n}") for n in range(len(locks))]
    threads = []
    for n, (worker, lock) in enumerate(zip(workers, locks, strict=True)):
        own = list(range(model.keys))[number + processes * n :: processes * len(locks)]
        threads.append(threading.Thread(target=worker.work, args=(steps, own, changes, lock)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    barrier.wait()  # nobody changes anything after it
    report = Report()
    for worker in workers:
        report.add(worker.report)
    checking = Worker(model, redis, mirrors, seed)
    for key in range(model.keys):
        checking.verify(key)
        if checking.report.wrong:
            break
    report.add(checking.report)
    out.put(report)
