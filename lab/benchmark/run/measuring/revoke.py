"""How long does a credential live on after it was revoked? Until the last worker refuses it.

The clock starts with the answer to the logout, and every worker process is asked on a connection
of its own, at once and again and again, until it has refused once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from lab.benchmark.rows import SECONDS_UNTIL_EXP
from lab.benchmark.run.plan import Bench, Step, interleaved
from lab.benchmark.run.subjects import Subject
from lab.benchmark.run.workers import Worker
from lab.staging.processes import StageError

PAUSE_SECONDS = 0.001


class Seen(NamedTuple):
    """What one worker did: so many answers as if nothing had been, then, or never, a refusal."""

    accepted: int
    refused_after: float | None  # seconds


def steps(bench: Bench) -> list[Step]:
    def turns() -> Iterator[Step]:
        for subject in bench.subjects:
            if subject.has_login:
                seconds = 0.25 + bench.counts.watched_seconds / 2
                label = f"{subject.key} is revoked"
                yield Step(label, seconds, partial(measure, bench, subject))

    return interleaved(bench.counts.revocations, turns)


def measure(bench: Bench, subject: Subject) -> None:
    workers = bench.server(subject).each_worker
    login = bench.log_in(subject)
    headers, expires_at = login.headers, login.expires_at()
    for worker in workers:
        status, body = worker.get(subject.whoami, headers)
        if status != 200:
            raise StageError(f"{subject.key}: a worker answered {status}: {body[:200]!r}")
    login.prepare()
    watch = partial(
        watched, path=subject.whoami, headers=headers, seconds=bench.counts.watched_seconds
    )
    with ThreadPoolExecutor(len(workers)) as threads:
        login.revoke()
        until_exp = expires_at - time.time() if expires_at else None
        seen = [*threads.map(watch, workers)]
    record(bench, subject, seen, until_exp)
    login.http.close()


def watched(worker: Worker, path: str, headers: Mapping[str, str], seconds: float) -> Seen:
    """Ask one worker until it refuses, or until the time is over."""
    began = time.perf_counter()
    accepted = 0
    while (elapsed := time.perf_counter() - began) < seconds:
        status, body = worker.get(path, headers)
        if status in (401, 403):  # Django's own sessions have no challenge, and answer 403
            return Seen(accepted, time.perf_counter() - began)
        if status != 200:
            raise StageError(f"{path} answered {status} after {elapsed:.3f} s: {body[:200]!r}")
        accepted += 1
        time.sleep(PAUSE_SECONDS)
    return Seen(accepted, None)


def record(bench: Bench, subject: Subject, seen: list[Seen], until_exp: float | None) -> None:
    add = partial(bench.readings.add, "time_to_revoke", subject.key, workers=len(seen))
    refusals = [each.refused_after for each in seen if each.refused_after is not None]
    if len(refusals) == len(seen):
        add(unit="ms", value=1000 * max(refusals))
    elif until_exp is not None:
        # Not waited for. The token says itself when it ends, and nothing else ends it.
        add(unit=SECONDS_UNTIL_EXP, value=until_exp)
    else:
        still = f"{len(seen) - len(refusals)} of {len(seen)} workers"
        raise StageError(
            f"{subject.key} was revoked, and {still} still accepted it after "
            f"{bench.counts.watched_seconds} s."
        )
