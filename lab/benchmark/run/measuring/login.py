"""What do login and refresh cost? One client after another, each call timed by that client.

A login is mostly the hash of a password; it is Argon2 everywhere. The worker that answers the login
times the hash in it; what the login takes beyond that, the way there and back included, is what a
strategy adds. Refresh is measured with and without rotation where both can be had.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from lab.benchmark.run.logins import Login, NotOffered
from lab.benchmark.run.plan import Bench, Step, interleaved
from lab.benchmark.run.subjects import Subject

SECONDS = 0.35  # about so long for one subject


def steps(bench: Bench) -> list[Step]:
    def turns() -> Iterator[Step]:
        for subject in bench.subjects:
            if subject.has_login:
                label = f"{subject.key} logs in, and refreshes"
                yield Step(label, SECONDS, partial(measure, bench, subject))

    return interleaved(bench.counts.logins, turns)


def measure(bench: Bench, subject: Subject) -> None:
    renewing = {server: rotation for rotation, server in subject.renewing}
    for server in sorted(subject.servers):
        login = subject.login(bench.servers[server].url)
        login.prepare()
        if server == subject.server:
            measure_login(bench, subject, login)
        else:
            login.log_in()
        if server in renewing:
            login.prepare()
            with suppress(NotOffered):
                taken = milliseconds(login.renew)
                bench.readings.add("refresh", subject.key, "ms", taken, rotation=renewing[server])
        login.leave()


def measure_login(bench: Bench, subject: Subject, login: Login) -> None:
    with login.counting() as spent:
        taken = milliseconds(login.log_in)
    hashed = spent["hash_milliseconds"]
    bench.readings.add("login", subject.key, "ms", taken)
    bench.readings.add("password_hash", subject.key, "ms", hashed)
    bench.readings.add("login_beyond_hash", subject.key, "ms", taken - hashed)


def milliseconds(call: Callable[[], None]) -> float:
    before = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - before)
