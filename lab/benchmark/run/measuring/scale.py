"""Does it stay flat while logins pile up? The same calls of one user, beside more of others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial

from lab.benchmark.run.logins import Contract
from lab.benchmark.run.plan import Bench, Step, interleaved
from lab.benchmark.run.subjects import SITE, Subject

FILL = "from lab.benchmark.run.fill import fill; fill({first}, {last})"
FILLED_A_SECOND = 4000
# One of each flow: the others of it keep their logins in the same places.
MEASURED = ("session-redis", "jwt-expiry")


def steps(bench: Bench) -> list[Step]:
    subjects = [subject for subject in bench.subjects if subject.key in MEASURED]
    return [*turns(bench, subjects)] if subjects else []


def turns(bench: Bench, subjects: list[Subject]) -> Iterator[Step]:
    before = 1  # ada's own
    for live in bench.counts.live:
        if live > before:
            label = f"{live:,} sessions and families"
            seconds = 2 + (live - before) / FILLED_A_SECOND
            yield Step(label, seconds, partial(fill, bench, before, live))
            before = live
        beside = partial(measurements, bench, subjects, live)
        yield from interleaved(bench.counts.scale_rounds, beside)


def measurements(bench: Bench, subjects: list[Subject], live: int) -> Iterator[Step]:
    for subject in subjects:
        label = f"{subject.key} beside {live:,} logins"
        yield Step(label, 0.25, partial(measure, bench, subject, live))


def fill(bench: Bench, first: int, last: int) -> None:
    sessions = Contract(bench.servers[SITE].url, "/api/sessions/")  # the model of all others
    sessions.log_in()
    bench.projects[SITE].run(FILL.format(first=first, last=last))
    sessions.leave()


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
