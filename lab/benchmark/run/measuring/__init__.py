"""Which questions can be measured? One module for each; its `steps` are what has to be done."""

from __future__ import annotations

from collections.abc import Callable

from lab.benchmark.run.measuring import (
    crossover,
    floor,
    login,
    request,
    revoke,
    scale,
    security,
    speed,
    store,
    tokens,
    without_lab,
    wsgi,
)
from lab.benchmark.run.plan import Bench, Step

MEASURES: dict[str, Callable[[Bench], list[Step]]] = {
    "request": request.steps,
    "speed": speed.steps,
    "login": login.steps,
    "tokens": tokens.steps,
    "revoke": revoke.steps,
    "crossover": crossover.steps,
    "store": store.steps,
    "scale": scale.steps,
    "floor": floor.steps,
    "attacks": security.attacks,
}
# Not in a quick run, nor in one of chosen subjects: they start servers of their own, and what they
# find is the same whoever is measured.
OF_WHOLE_RUNS: dict[str, Callable[[Bench], list[Step]]] = {
    "servers": wsgi.steps,
    "audit": security.audit,
    "without_lab": without_lab.steps,
}
EVERY_MEASURE = MEASURES | OF_WHOLE_RUNS
