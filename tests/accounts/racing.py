"""How do many requests arrive at the same moment? In threads, behind a barrier."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

import pytest
from django.db import connections
from django.test import Client

Answer = TypeVar("Answer")

# RACE_TRIALS=100 pytest tests/jwt_api tests/sessions_api -k race: the full count.
FULL = int(os.environ.get("RACE_TRIALS", "0"))


def trials(by_default: int, *, full: int = 100) -> int:
    """How often a race is run: a few times on every run, `full` times where it was asked for."""
    return max(by_default, full * FULL // 100)


def at_once(calls: Sequence[Callable[[], Answer]]) -> list[Answer]:
    """Make all calls at the same moment, each with its own database connection.

    What a call raises is raised here, after all of them have ended.
    """
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Answer]) -> Answer:
        try:
            barrier.wait(timeout=30)
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(run, call) for call in calls]]


def browser(**cookies: str) -> Client:
    """Django's test client as one more browser; a failure is its answer, not an exception."""
    client = Client(raise_request_exception=False)
    for name, value in cookies.items():
        client.cookies[name] = value
    return client


def post(client: Client, path: str, body: Any = None, **headers: str) -> Any:
    """POST JSON."""
    return client.post(path, body or {}, content_type="application/json", headers=headers)


def log_in(client: Client, flow: str, username: str = "ada") -> Any:
    """Log somebody in with the demo's passwords, and return `{"user", "credential"}`."""
    response = post(
        client,
        f"/api/{flow}/login/",
        {"username": username, "password": f"{username}-demo-password"},
    )
    assert response.status_code == 200, response.content
    return response.json()


needs_file_database = pytest.mark.django_db(transaction=True)
