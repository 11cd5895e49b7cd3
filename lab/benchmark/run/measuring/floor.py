"""How far above the floor is each strategy, in one process and with no socket in the way?

Measured inside the site, as `manage.py floor` does it, on its Redis and its database; the peers
inside their own project, by the same blocks of requests, above the floor of that one.
"""

from __future__ import annotations

import json
from functools import partial

from lab.benchmark.rows import Row
from lab.benchmark.run.plan import Bench, Step
from lab.benchmark.run.subjects import PEERS, PEERS_ROTATING, SITE, Subject
from lab.benchmark.subjects import PEERS_FLOOR

MEASURE = """
import json
from lab.benchmark.floor import figures
from lab.management.commands.floor import strategies
with strategies() as subjects:
    rows = figures(subjects, repetitions={repetitions}, rounds={rounds})
print(json.dumps([row.encode() for row in rows]))
"""
# Whoever is logged in over HTTP is logged in here: it is the same Redis, and the same database.
MEASURE_PEERS = """
import json
from django.core.servers.basehttp import get_internal_wsgi_application
from lab.benchmark.in_process import Measured, Subject, get
subjects = [Subject(key, get(path, **sent)) for key, path, sent in json.loads({subjects!r})]
measured = Measured(get_internal_wsgi_application(), subjects)
measured.warm_up()
for _ in range({repetitions}):
    measured.repeat({rounds})
print(json.dumps([row.encode() for row in measured.rows()]))
"""
TIMES = ("microseconds", "times_floor")  # what it counts is counted by `request` as well
MILLISECONDS_A_ROUND = 25


def steps(bench: Bench) -> list[Step]:
    repetitions, rounds = bench.counts.rounds, bench.counts.floor_rounds
    found = []
    if SITE in bench.projects:
        seconds = 4.5 + repetitions * rounds * MILLISECONDS_A_ROUND / 1000
        found.append(Step("the floor, in one process", seconds, partial(measure, bench)))
    for name in (PEERS, PEERS_ROTATING) if bench.counts.peers_throughout else ():
        subjects = [each for each in bench.subjects if each.server == name and each.has_login]
        if subjects:
            seconds = 1.5 + (1 + len(subjects)) * (0.15 + repetitions * rounds * 0.003)
            run = partial(measure_peers, bench, name, subjects)
            found.append(Step(f"the floor of the {name}, in one process", seconds, run))
    return found


def measure(bench: Bench) -> None:
    counts = bench.counts
    code = MEASURE.format(repetitions=counts.rounds, rounds=counts.floor_rounds)
    record(bench, bench.projects[SITE].run(code))


def measure_peers(bench: Bench, name: str, subjects: list[Subject]) -> None:
    counts = bench.counts
    asked = [(each.key, each.whoami, as_wsgi(bench.login(each).headers)) for each in subjects]
    code = MEASURE_PEERS.format(
        subjects=json.dumps([(PEERS_FLOOR, "/floor/whoami/", {}), *asked]),
        repetitions=counts.rounds,
        rounds=counts.floor_rounds,
    )
    record(bench, bench.projects[name].run(code))


def as_wsgi(headers: dict[str, str]) -> dict[str, str]:
    return {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}


def record(bench: Bench, said: str) -> None:
    for row in (Row.decode(each) for each in json.loads(said.splitlines()[-1])):
        if row.measure in TIMES:
            for value in row.values:
                bench.readings.add(row.measure, row.subject, row.unit, value)
