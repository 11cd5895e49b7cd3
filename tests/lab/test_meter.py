"""Does an ended login end when its strategy says so? Measured by the lab, on two real workers."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings

from accounts.mirror import TRUST_SECONDS
from lab.side.ways import WAYS
from lab.side.workers import each_worker
from tests.accounts.mirroring import eventually
from tests.lab.two_workers import caller_of, measured, two_workers

pytestmark = [pytest.mark.once, pytest.mark.slow]

# In which every way is tried; of the others, a logout is measured.
OTHER_WAYS = [
    pytest.param(how, marks=() if how == "logout" else pytest.mark.thorough) for how in WAYS
]
LIFETIMES = {"jwt-expiry": 15 * 60, "jwt-cookie": 15 * 60, "jwt-naive": 24 * 60 * 60}
"""Of tokens that end by themselves and in no other way, in seconds."""


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with two_workers(tmp_path_factory.mktemp("meter")) as url, caller_of(url) as client:
        yield client


def after(told: dict[str, Any]) -> list[float | None]:
    """The milliseconds until each worker knew."""
    return [worker["after"] for worker in told["workers"]]


@pytest.mark.parametrize("how", OTHER_WAYS)
def test_who_asks_a_denylist_accepts_nothing_that_was_ended(caller: httpx.Client, how: str) -> None:
    told = measured(caller, "jwt-lookup", how)
    assert [worker["accepted"] for worker in told["workers"]] == [0, 0]
    assert None not in after(told)


@pytest.mark.parametrize("strategy", ["session-push", "jwt-push"])
def test_what_is_announced_is_known_before_it_could_no_longer_be_trusted(
    caller: httpx.Client, strategy: str
) -> None:
    within_the_bound(measured(caller, strategy, "logout"))


@pytest.mark.thorough
@pytest.mark.parametrize("how", [how for how in WAYS if how != "logout"])
def test_whichever_way_it_ends(caller: httpx.Client, how: str) -> None:
    within_the_bound(measured(caller, "jwt-push", how))


def within_the_bound(told: dict[str, Any]) -> None:
    """What the strategy promises, however busy the machine is: after that, Redis is asked."""
    for milliseconds in after(told):
        assert milliseconds is not None
        assert milliseconds <= 1000 * TRUST_SECONDS


@pytest.mark.parametrize("strategy", LIFETIMES)
def test_a_token_that_ends_by_itself_says_when(caller: httpx.Client, strategy: str) -> None:
    ends_by_itself(caller, strategy, "logout")


@pytest.mark.thorough
@pytest.mark.parametrize("how", [how for how in WAYS if how != "logout"])
def test_no_other_way_ends_it_sooner_or_later(caller: httpx.Client, how: str) -> None:
    ends_by_itself(caller, "jwt-cookie", how)


def ends_by_itself(caller: httpx.Client, strategy: str, how: str) -> None:
    told = measured(caller, strategy, how)
    assert after(told) == [None, None]
    longest = LIFETIMES[strategy] + settings.LEEWAY_SECONDS
    assert time.time() < told["until"] <= time.time() + longest


def test_a_worker_that_ends_meanwhile_is_told_and_no_error(tmp_path: Path) -> None:
    """It hangs up on whoever watches it."""
    with (
        two_workers(tmp_path) as url,
        caller_of(url) as caller,
        ThreadPoolExecutor() as measuring,
    ):
        with each_worker(url.removeprefix("http://"), "/lab/side/worker/") as workers:
            pids = {worker.pid for worker in workers}
        # The one that keeps our connection is the one that will measure.
        (watched,) = pids - {caller.get("/lab/side/worker/").json()["pid"]}
        without_end = {"strategy": "jwt-expiry", "how": "logout"}
        asked = measuring.submit(caller.post, "/lab/side/revoke/", json=without_end)
        log = tmp_path / "server.log"
        eventually(lambda: "logout [authdemo.security]" in log.read_text())
        os.kill(watched, signal.SIGKILL)
        answer = asked.result()
    assert answer.status_code == 502
    assert answer.json()["detail"].endswith("has just ended. Try again.")
