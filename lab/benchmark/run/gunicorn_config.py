"""What does each worker tell the benchmark, and nobody else? Who it is, and what it has spent.

The settings of a gunicorn whose site is measured (`gunicorn -c python:…`). They are those of
`make run`, and the same for the peers. `GET /benchmark/worker` is answered before
Django is asked; no deployment has it, since none starts with these settings.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from lab.staging.gunicorn_config import *  # noqa: F403  # gunicorn reads names of this module

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PATH = "/benchmark/worker"
# What frames a transaction is not counted: the same statements are framed differently by databases.
FRAMES = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")

# Longer than any measurement: the benchmark keeps a connection to each worker.
keepalive = 3600


def post_worker_init(worker: Any) -> None:
    """In each worker, after it has loaded the site."""
    worker.wsgi = Watched(worker.wsgi)


class Watched:
    """The site, and beside it one path that tells what this process has spent.

    `?count=1` begins to count SQL statements and the time of password hashes, from 0; `?count=0`
    ends it. While nothing is counted no call of the site takes another way than without us.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self.application = application
        self.statements: list[str] = []
        self.hash_seconds = 0.0
        self.counting = ExitStack()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != PATH:
            return self.application(environ, start_response)
        asked = parse_qs(environ["QUERY_STRING"])
        told = self.told()
        if "count" in asked:
            self.count(asked["count"] == ["1"])
        answer = json.dumps(told).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))]
        start_response("200 OK", headers)
        return [answer]

    def told(self) -> dict[str, float]:
        return {
            "pid": os.getpid(),
            "cpu_seconds": time.process_time(),
            "sql_statements": len(self.statements),
            "hash_milliseconds": 1000 * self.hash_seconds,
        }

    def count(self, on: bool) -> None:
        # Not before the site has its settings.
        from django.contrib.auth.hashers import get_hasher
        from django.db.backends.utils import CursorWrapper

        self.counting.close()
        if on:
            self.statements.clear()
            self.hash_seconds = 0.0
            self.replace(CursorWrapper, "_execute_with_wrappers", self.noting_statements)
            for name in ("encode", "verify"):
                self.replace(type(get_hasher()), name, self.timing_hashes)

    def replace(self, owner: Any, name: str, by: Callable[[Any], Any]) -> None:
        original = getattr(owner, name)
        self.counting.callback(setattr, owner, name, original)
        setattr(owner, name, by(original))

    def noting_statements(self, execute: Any) -> Any:
        """Every thread's statements, whichever connection they go through."""

        def noting(cursor: Any, sql: Any, *arguments: Any, **named: Any) -> Any:
            if not str(sql).startswith(FRAMES):
                self.statements.append(str(sql))
            return execute(cursor, sql, *arguments, **named)

        return noting

    def timing_hashes(self, hash_password: Any) -> Any:
        """What the site's hasher takes, whoever calls it."""

        def timing(*arguments: Any, **named: Any) -> Any:
            before = time.perf_counter()
            try:
                return hash_password(*arguments, **named)
            finally:
                self.hash_seconds += time.perf_counter() - before

        return timing
