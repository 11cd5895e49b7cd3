"""How many attacks get through? What was counted elsewhere, so that speed does not stand alone.

The attacks are those of the kept run: to run them takes longer than all that is measured here.
The audit looks at the site of this benchmark, by one more server of it.
"""

from __future__ import annotations

import json
from functools import partial

from lab.attacks import report
from lab.benchmark.run.plan import Bench, Step
from lab.benchmark.run.subjects import SITE
from lab.staging.processes import StageError

AUDIT = """
import json
from lab.audit import points
from lab.audit.report import audit
from lab.audit.server import scene_of_this_deployment
with scene_of_this_deployment() as scene:
    found = audit(scene, points())
print(json.dumps([[each.flow, each.status] for each in found.results]))
"""


def attacks(bench: Bench) -> list[Step]:
    return [Step("attacks that were counted", 0.1, partial(count_attacks, bench))]


def count_attacks(bench: Bench) -> None:
    try:
        kept = report.read(report.committed())
    except report.NoReport as error:
        raise StageError(str(error)) from error
    measured = {subject.key for subject in bench.subjects}
    for count in report.counts(kept.cells):
        if count.strategy in measured:
            add = partial(bench.readings.add, run=kept.made)
            add("attacks_succeed", count.strategy, "", count.through)
            add("attacks_apply", count.strategy, "", count.applied)


def audit(bench: Bench) -> list[Step]:
    if SITE not in bench.projects:
        return []
    return [Step("the audit", 30, partial(count_points, bench))]


def count_points(bench: Bench) -> None:
    said = bench.projects[SITE].run(AUDIT)
    results = json.loads(said.splitlines()[-1])
    for flow in dict.fromkeys(flow for flow, _ in results):
        statuses = [status for of, status in results if of == flow]
        bench.readings.add("audit_passed", flow, "", statuses.count("pass"))
        bench.readings.add("audit_points", flow, "", len(statuses))
