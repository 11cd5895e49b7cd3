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
