"""How far above the floor is each strategy, in one process and with no socket in the way?

Measured inside the site, as `manage.py floor` does it, on its Redis and its database. The peers are
not: they are another site, with another floor.
"""

from __future__ import annotations

import json
from functools import partial

from lab.benchmark.rows import Row
from lab.benchmark.run.plan import Bench, Step
from lab.benchmark.run.subjects import SITE

MEASURE = """
import json
from lab.benchmark.floor import figures
from lab.management.commands.floor import strategies
with strategies() as subjects:
    rows = figures(subjects, repetitions={repetitions}, rounds={rounds})
print(json.dumps([row.encode() for row in rows]))
"""
TIMES = ("microseconds", "times_floor")  # what it counts is counted by `request` as well
MILLISECONDS_A_ROUND = 25


def steps(bench: Bench) -> list[Step]:
    if SITE not in bench.projects:
        return []
    repetitions, rounds = bench.counts.rounds, bench.counts.floor_rounds
    seconds = 4.5 + repetitions * rounds * MILLISECONDS_A_ROUND / 1000
    return [Step("the floor, in one process", seconds, partial(measure, bench))]


def measure(bench: Bench) -> None:
    counts = bench.counts
    code = MEASURE.format(repetitions=counts.rounds, rounds=counts.floor_rounds)
    said = bench.projects[SITE].run(code)
    for row in (Row.decode(each) for each in json.loads(said.splitlines()[-1])):
        if row.measure in TIMES:
            for value in row.values:
                bench.readings.add(row.measure, row.subject, row.unit, value)
