"""How is every worker process reached behind one listening socket? By a connection to each.

A worker keeps the connections that it has accepted, and says who it is (`gunicorn_config.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.client import HTTPConnection
from typing import Any

from lab.benchmark.run.gunicorn_config import PATH
from lab.staging.processes import StageError

AT_ONCE = 16
MOST_ATTEMPTS = 100


class Worker:
    """One worker process, over a connection that only it answers."""

    def __init__(self, address: str) -> None:
        self.connection = HTTPConnection(address, timeout=30)

    def get(self, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        self.connection.request("GET", path, headers=dict(headers))
        response = self.connection.getresponse()
        return response.status, response.read()

    def tell(self, query: str = "") -> dict[str, Any]:
        """`{"pid", "cpu_seconds", "sql_statements"}`; `query` switches counting."""
        _, body = self.get(f"{PATH}?{query}" if query else PATH, {})
        told: dict[str, Any] = json.loads(body)
        return told

    def close(self) -> None:
        self.connection.close()


def one_for_each(address: str, workers: int) -> list[Worker]:
    """A connection to each of so many workers."""
    found: dict[int, Worker] = {}
    for _ in range(MOST_ATTEMPTS):
        # Many at once: an idle machine gives single ones to the same worker, again and again.
        candidates = [Worker(address) for _ in range(AT_ONCE)]
        for candidate in candidates:
            candidate.connection.request("GET", PATH)
        for candidate in candidates:
            told = json.loads(candidate.connection.getresponse().read())
            if found.setdefault(told["pid"], candidate) is not candidate:
                candidate.close()
        if len(found) == workers:
            return list(found.values())
    raise StageError(f"Of {workers} worker processes only {len(found)} could be reached.")
