"""How far above the floor is each strategy, in one process, with no socket? `manage.py floor` says.

It is run in the environment of the measured site: on its Redis, and on its database.
"""

from __future__ import annotations

import json
from functools import partial
from importlib.util import find_spec

from lab.benchmark.rows import Row
from lab.benchmark.run.plan import Bench, Step
from lab.benchmark.run.subjects import SITE

MODULE = "lab.benchmark.floor"
MEASURE = """
import json
from lab.benchmark.floor import figures
from lab.management.commands.floor import strategies
with strategies() as subjects:
    rows = figures(subjects, repetitions={repetitions}, rounds={rounds})
print(json.dumps([row.encode() for row in rows]))
"""
TIMES = ("microseconds", "times_floor")  # what it counts is counted by `request` as well
MILLISECONDS_A_ROUND = 40


def is_there() -> bool:
    return find_spec(MODULE) is not None


def steps(bench: Bench) -> list[Step]:
    if SITE not in bench.projects:
        return []
    repetitions, rounds = bench.counts.rounds, bench.counts.floor_rounds
    seconds = 4 + repetitions * rounds * MILLISECONDS_A_ROUND / 1000
    return [Step("the floor, in one process", seconds, partial(measure, bench))]


def measure(bench: Bench) -> None:
    counts = bench.counts
    code = MEASURE.format(repetitions=counts.rounds, rounds=counts.floor_rounds)
    said = bench.projects[SITE].run(code)
    for row in (Row.decode(each) for each in json.loads(said.splitlines()[-1])):
        if row.measure in TIMES:
            for value in row.values:
                bench.readings.add(row.measure, row.subject, row.unit, value)
