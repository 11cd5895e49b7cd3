"""What does the lab cost those who ask it for nothing? The same requests, of a site that has none.

Each of the two in processes of its own, in turns: what the lab marks in a process stays marked.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

from lab.benchmark.rows import Row
from lab.benchmark.run.plan import Bench, Step
from lab.benchmark.run.subjects import SITE
from lab.staging.site import Project

MEASURE = """
import json
from lab.benchmark.floor import figures
from lab.management.commands.floor import logged_in
with logged_in() as subjects:
    rows = figures(subjects, repetitions=1, rounds={rounds})
print(json.dumps([row.encode() for row in rows if row.measure == "microseconds"]))
"""
# A site without the lab has the two flows alone; they are these strategies.
STRATEGY_OF = {"sessions": "session-redis", "jwt": "jwt-expiry"}
START_SECONDS = 3.5


def steps(bench: Bench) -> list[Step]:
    if SITE not in bench.projects:
        return []
    counts = bench.counts
    seconds = 2 * counts.rounds * (START_SECONDS + counts.floor_rounds / 100)
    return [Step("the site with and without the lab", seconds, partial(measure, bench))]


def measure(bench: Bench) -> None:
    site = bench.projects[SITE]
    without = replace(site, variables=site.variables | {"LAB": "0"})
    for _ in range(bench.counts.rounds):
        lacking = microseconds(without, bench.counts.floor_rounds)
        for subject, found in microseconds(site, bench.counts.floor_rounds).items():
            key = STRATEGY_OF.get(subject, subject)
            bench.readings.add("times_without_lab", key, "times", found / lacking[subject])


def microseconds(project: Project, rounds: int) -> dict[str, float]:
    """By subject, of one request in the process."""
    said = project.run(MEASURE.format(rounds=rounds))
    rows = (Row.decode(each) for each in json.loads(said.splitlines()[-1]))
    return {row.subject: row.median for row in rows}
