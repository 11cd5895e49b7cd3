"""How do many requests arrive at the same moment? In threads, behind a barrier."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client
from django_redis import get_redis_connection

from tests.contract.clock import age_in_the_database
from tests.rows import mostly_in_ci

Answer = TypeVar("Answer")

# With ATOMIC_REQUESTS off, and in CI with it on: a test takes `atomic_requests` (tests/conftest.py)
# as an argument, or uses it. Without this mark it runs with both everywhere.
atomic_requests_in_ci = pytest.mark.parametrize(
    "atomic_requests",
    mostly_in_ci({"autocommit": False, "ATOMIC_REQUESTS": True}, "autocommit"),
    indirect=True,
)

# RACE_TRIALS=100, as `make races` sets it: the full count.
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


def elsewhere(call: Callable[[], Answer]) -> Answer:
    """What a call returns over another database connection: it sees what is committed."""
    return at_once([call])[0]


def end_grace() -> None:
    """Let every grace be over, without waiting, for the database and for Redis.

    No clock is moved: theirs are not the process's.
    """
    age_in_the_database(settings.GRACE_SECONDS)
    redis = get_redis_connection("auth")
    for key in redis.keys("session:*"):
        if 0 <= redis.ttl(key) <= settings.GRACE_SECONDS:
            redis.pexpire(key, 1)
            while redis.exists(key):
                pass


def browser(**cookies: str) -> Client:
    """Django's test client as one more browser; a failure is its answer, not an exception."""
    client = Client(raise_request_exception=False)
    for name, value in cookies.items():
        client.cookies[name] = value
    return client


def copy_of(client: Client) -> Client:
    """Another browser, with the same cookies: whoever has copied them."""
    return browser(**{name: morsel.value for name, morsel in client.cookies.items()})


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
