"""Does it stay flat while logins pile up? The same calls of one user, beside more of others.

And what the stores grow by for each login: Redis by its own account, the database by its pages.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg
import redis

from lab.benchmark.run.logins import Contract
from lab.benchmark.run.plan import Bench, Step, interleaved
from lab.benchmark.run.subjects import SITE, Subject
from sessions_api.records import snapshot_name

FILL = "from lab.benchmark.run.fill import fill; fill({first}, {last}, devices={devices})"
FILLED_A_SECOND = 4000
# What each of ours keeps its logins in. The other strategies keep them in the same places.
STORES = {"session-redis": "Redis", "jwt-expiry": "database"}
LEAST_FOR_MEMORY = 5_000  # logins that have to be added before their bytes are more than noise


class Sizes(NamedTuple):
    """Bytes."""

    redis: int
    database: int


def steps(bench: Bench) -> list[Step]:
    subjects = [subject for subject in bench.subjects if subject.key in STORES]
    return [*turns(bench, subjects)] if subjects else []


def turns(bench: Bench, subjects: list[Subject]) -> Iterator[Step]:
    before = 1  # ada's own
    for live in bench.counts.live:
        if live > before:
            label = f"{live:,} sessions and families"
            seconds = 2 + (live - before) / FILLED_A_SECOND
            yield Step(label, seconds, partial(fill, bench, subjects, before, live))
            before = live
        beside = partial(measurements, bench, subjects, live)
        yield from interleaved(bench.counts.scale_rounds, beside)


def measurements(bench: Bench, subjects: list[Subject], live: int) -> Iterator[Step]:
    for subject in subjects:
        label = f"{subject.key} beside {live:,} logins"
        yield Step(label, 0.25, partial(measure, bench, subject, live))


def fill(bench: Bench, subjects: list[Subject], first: int, last: int) -> None:
    sessions = Contract(bench.servers[SITE].url, "/api/sessions/")  # the model of all others
    sessions.log_in()
    before = sizes(bench)
    code = FILL.format(first=first, last=last, devices=bench.counts.devices_of_a_user)
    bench.projects[SITE].run(code)
    grown = [after - then for after, then in zip(sizes(bench), before, strict=True)]
    sessions.leave()
    if last - first >= LEAST_FOR_MEMORY:
        for subject in subjects:
            remember(bench, subject, Sizes(*grown), last - first)


def remember(bench: Bench, subject: Subject, grown: Sizes, logins: int) -> None:
    """`credential_bytes_store` is of a user who is there: Redis holds a copy of their row then."""
    is_redis = STORES[subject.key] == "Redis"
    each = (grown.redis if is_redis else grown.database) / logins
    copy = copy_of_row(bench.redis_url) / bench.counts.devices_of_a_user if is_redis else 0
    add = bench.readings.add
    add("memory_per_10000_logins", subject.key, "bytes", round(10_000 * each))
    add("credential_bytes_store", subject.key, "bytes", round(each + copy))


def copy_of_row(redis_url: str) -> int:
    """Bytes of the one that was made by the last login."""
    with redis.Redis.from_url(redis_url) as client:
        pattern = snapshot_name(0).replace("0", "*")
        name = next(client.scan_iter(pattern, count=1_000_000))
        return int(client.memory_usage(name, samples=0) or 0)


def sizes(bench: Bench) -> Sizes:
    with redis.Redis.from_url(bench.redis_url) as client:
        used = client.info("memory")["used_memory"]
    return Sizes(used, database_bytes(bench.projects[SITE].variables["DATABASE_URL"]))


def database_bytes(url: str) -> int:
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = parts.path.removeprefix("/")  # the URL has one slash before it
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as file:
            asked = (file.execute(f"PRAGMA page_{of}").fetchone() for of in ("count", "size"))
            return math.prod(int(found[0]) for found in asked)
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert found is not None
    return int(found[0])


def measure(bench: Bench, subject: Subject, live: int) -> None:
    """Each call in turn, and logout-all last: it ends what the others need."""
    login = bench.log_in(subject)
    assert isinstance(login, Contract)
    login.client.devices()  # the connection, and the imports, of whichever worker it is
    login.prepare()
    calls: dict[str, Callable[[], object]] = {
        "whoami": login.client.whoami,
        "devices": login.client.devices,
        "refresh": login.renew,
        "logout-all": login.client.logout_all,
    }
    for call, ask in calls.items():
        before = time.perf_counter()
        ask()
        taken = 1_000_000 * (time.perf_counter() - before)
        bench.readings.add("scale", subject.key, "µs", taken, live=live, call=call)
    login.http.close()
    bench.logins.clear()  # all of ada's are over
