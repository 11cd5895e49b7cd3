"""How does a test wait for a month? It moves the process's clock, and what other clocks measure."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import time_machine
from django.apps import apps
from django.db.models import F

# Columns that the database's clock has written and will compare.
BY_THE_DATABASE = (("jwt_api", "TokenFamily", "rotated"),)


def age_in_the_database(seconds: float) -> None:
    """Let time pass by the database's clock, as far as anything is measured by it."""
    for app, model, column in BY_THE_DATABASE:
        if apps.is_installed(app):
            rows = apps.get_model(app, model)._default_manager.exclude(**{column: None})
            rows.update(**{column: F(column) - timedelta(seconds=seconds)})


class Clock:
    """Time for the whole site: the process's clock, Redis's and the database's."""

    def __init__(self, traveller: time_machine.Traveller, redis: Any) -> None:
        self.traveller, self.redis = traveller, redis

    def advance(self, seconds: float) -> None:
        """Let time pass: what ends in the meantime is gone."""
        self.traveller.shift(seconds)
        age_in_the_database(seconds)
        for key in self.redis.keys("*"):
            left = self.redis.pttl(key)
            if left >= 0:
                self.redis.pexpire(key, left - int(seconds * 1000))


def best_of_three(seconds: Callable[[], float], *, promised: float) -> float:
    """The machine may be busy once; what takes longer than was promised each time is slow."""
    least = seconds()
    for _ in range(2):
        if least < promised:
            break
        least = min(least, seconds())
    return least
