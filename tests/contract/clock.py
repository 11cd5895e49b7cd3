"""How does a test wait for a month? It moves the process's clock and every TTL in Redis."""

from typing import Any

import time_machine


class Clock:
    """Time for the whole site: frozen time alone does not reach Redis."""

    def __init__(self, traveller: time_machine.Traveller, redis: Any) -> None:
        self.traveller, self.redis = traveller, redis

    def advance(self, seconds: float) -> None:
        """Let time pass: what ends in the meantime is gone."""
        self.traveller.shift(seconds)
        for key in self.redis.keys("*"):
            left = self.redis.pttl(key)
            if left >= 0:
                self.redis.pexpire(key, left - int(seconds * 1000))
