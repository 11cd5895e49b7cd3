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
    speed,
    tokens,
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
    "scale": scale.steps,
}
if floor.is_there():
    MEASURES["floor"] = floor.steps
# Only where it is asked for: it decides what is run, and says nothing of a strategy.
ON_REQUEST: dict[str, Callable[[Bench], list[Step]]] = {"servers": wsgi.steps}
