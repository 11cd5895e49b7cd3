"""Does the lab's instrument show what is, and do its buttons do what they say? (`/lab/`)"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.test import Client
from pytest_django import Settings
from redis import Redis

from accounts.client import FlowClient
from authdemo import embedded_redis, gunicorn_config
from jwt_api import denylist
from lab.side import times
from lab.side.outages import KINDS
from lab.side.ways import WAYS
from lab.side.workers import each_worker
from lab.strategies import STRATEGIES
from tests.accounts.racing import browser, post
from tests.accounts.racing import log_in as log_in_with
from tests.lab.two_workers import caller_of, measured, two_workers

pytestmark = pytest.mark.once
KEYS = [row.key for row in STRATEGIES]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("side")


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    with two_workers(folder) as url:
        yield url


# --- which columns there are ----------------------------------------------------------------


def shown(client: Client, columns: str) -> list[str]:
    page = client.get("/lab/", {"columns": columns})
    assert page.status_code == 200
    return [each["row"].key for each in page.context["columns"]]


@pytest.mark.usefixtures("lab", "db")
def test_the_address_names_the_columns_and_nonsense_in_it_is_dropped(client: Client) -> None:
    assert shown(client, "jwt-push,session-push") == ["jwt-push", "session-push"]
    assert shown(client, "jwt-push,,nothing,jwt-push,<b>") == ["jwt-push"]
    assert shown(client, ",".join(KEYS)) == KEYS[:3]
    assert shown(client, "") == ["session-redis", "jwt-expiry"]


@pytest.mark.usefixtures("lab", "ada")
def test_a_family_is_shown_with_its_generations() -> None:
    client = browser()
    log_in_with(client, "jwt")
    token = post(client, "/api/jwt/refresh/").json()["credential"]["token"]
    for key in ("jwt", "jwt-push"):  # the flow, and a strategy that keeps its logins there
        answer = client.get(f"/lab/remembered/{key}/", headers={"authorization": f"Bearer {token}"})
        (family,) = answer.json()["families"]

        assert family["live"]
        states = [(each["number"], each["state"]) for each in family["generations"]]
        assert states == [(2, "not used yet"), (1, "used")]


def test_without_the_lab_there_is_none(client: Client, db: None) -> None:
    for path in ("", "side/worker/", "side/revoke/", "side/outage/", "side/times/"):
        assert client.get(f"/lab/{path}").status_code == 404


# --- the meter ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def caller(site: str) -> Iterator[httpx.Client]:
    with caller_of(site) as client:
        yield client


NEXT_REQUEST = ("session-database", "session-redis", "jwt-lookup")


@pytest.mark.slow
@pytest.mark.parametrize("how", [key for key in WAYS if key != "theft"])
def test_every_worker_refuses_or_knows_at_its_first_probe(caller: httpx.Client, how: str) -> None:
    """Where the server asks its store on each request, none is answered as if nothing had been."""
    for strategy in NEXT_REQUEST if how == "logout" else NEXT_REQUEST[1:2]:
        workers = measured(caller, strategy, how)["workers"]
        assert len({worker["pid"] for worker in workers}) == 2
        assert [worker["accepted"] for worker in workers] == [0, 0]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["session-push", "jwt-push"])
def test_a_pushed_strategy_is_refused_by_every_worker(caller: httpx.Client, strategy: str) -> None:
    workers = measured(caller, strategy, "logout")["workers"]
    assert [worker["after"] is not None for worker in workers] == [True, True]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["jwt-expiry", "jwt-naive"])
def test_what_ends_by_itself_alone_is_still_accepted_and_says_until_when(
    caller: httpx.Client, strategy: str
) -> None:
    told = measured(caller, strategy, "logout")
    assert [worker["after"] for worker in told["workers"]] == [None, None]
    assert told["until"] > time.time()


@pytest.mark.slow
def test_a_theft_ends_a_family_and_no_session(caller: httpx.Client) -> None:
    assert all(each["after"] for each in measured(caller, "jwt-lookup", "theft")["workers"])
    told = measured(caller, "session-redis", "theft")
    assert [worker["after"] for worker in told["workers"]] == [None, None]
    assert told["because"]
    assert "nothing" in measured(caller, "jwt-naive", "theft")["not_offered"]


@pytest.mark.slow
def test_one_measurement_at_a_time_and_nobody_is_left_behind(
    caller: httpx.Client, site: str
) -> None:
    with ThreadPoolExecutor(3) as threads:
        body = {"strategy": "jwt-expiry", "how": "logout"}
        answers = [*threads.map(lambda _: caller.post("/lab/side/revoke/", json=body), range(3))]
    assert sorted(answer.status_code for answer in answers) == [200, 429, 429]
    assert all(a.json()["code"] == "throttled" for a in answers if a.status_code == 429)


def test_nonsense_is_refused_with_a_sentence(caller: httpx.Client) -> None:
    bodies: tuple[Any, ...] = ({}, [], "text", {"strategy": "jwt-push", "kind": {}}, {"on": 1})
    for path in ("revoke", "outage", "times"):
        for body in bodies:
            answer = caller.post(f"/lab/side/{path}/", json=body)
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


@pytest.mark.usefixtures("lab", "db")
def test_no_other_page_can_press_a_button_of_the_lab() -> None:
    for path in ("revoke", "outage", "times"):
        answer = Client(enforce_csrf_checks=True).post(f"/lab/side/{path}/")
        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")


# --- outages --------------------------------------------------------------------------------


Status = Callable[[str, str], int]


@pytest.fixture
def session(site: str) -> Iterator[Status]:
    """Somebody with a session in Redis: the status with which a call is answered."""
    yield from status_of_calls(site, "session-redis")


@pytest.fixture
def token(site: str) -> Iterator[Status]:
    """Somebody with a token."""
    yield from status_of_calls(site, "jwt-expiry")


def status_of_calls(site: str, strategy: str) -> Iterator[Status]:
    client = FlowClient(site, strategy, under="/lab/strategies/")
    with client.http:
        client.login("ada", "ada-demo-password")
        client.fetch_csrf_token()
        yield lambda method, path: client.send(method, path).status_code


@contextmanager
def outage(caller: httpx.Client, kind: str, seconds: int) -> Iterator[None]:
    begun = caller.post("/lab/side/outage/", json={"kind": kind, "seconds": seconds})
    assert begun.status_code == 200, begun.text
    assert begun.json()["outage"]["kind"] == kind
    try:
        yield
    finally:
        assert caller.delete("/lab/side/outage/").json() == {"outage": None}


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["redis-stop", "redis-pause"])
def test_redis_goes_and_comes_back_with_every_session(
    caller: httpx.Client, session: Status, token: Status, kind: str
) -> None:
    with outage(caller, kind, 30):
        assert session("GET", "whoami/") == 503
        assert token("GET", "whoami/") == 200
        second = caller.post("/lab/side/outage/", json={"kind": "database-lock", "seconds": 5})
        assert (second.status_code, second.json()["detail"]) == (409, "Another outage is going on.")
    assert session("GET", "whoami/") == 200


@pytest.mark.slow
def test_the_database_takes_no_writes_and_then_takes_them(
    caller: httpx.Client, session: Status, token: Status
) -> None:
    with outage(caller, "database-lock", 30):
        assert token("POST", "refresh/") == 503
        assert session("GET", "whoami/") == 200
        assert token("GET", "me/") == 200  # reading goes on
    assert token("POST", "refresh/") == 200


@pytest.mark.slow
def test_redis_answers_each_question_one_pause_late(
    caller: httpx.Client, session: Status, folder: Path
) -> None:
    with (
        outage(caller, "redis-delay", 30),
        Redis.from_url(embedded_redis.url(folder)) as redis,
    ):
        assert session("GET", "whoami/") == 200
        # A machine that is busy elsewhere may ask for a pause too late, now and then.
        assert any(pauses_of_five_answers(redis) >= 4 for _ in range(10))
    assert session("GET", "whoami/") == 200


def pauses_of_five_answers(redis: Redis) -> int:
    """How often Redis was paused meanwhile: by its own count."""
    before = told_to_pause(redis)
    for _ in range(5):
        redis.ping()
    return told_to_pause(redis) - before


def told_to_pause(redis: Redis) -> int:
    counts = redis.info("commandstats")
    name = "cmdstat_client|pause"  # since Redis 7; before, all kinds are counted as one
    return counts[name if name in counts else "cmdstat_client"]["calls"]


@pytest.mark.slow
def test_no_worker_reaches_the_database_and_then_each_does(
    caller: httpx.Client, session: Status, site: str
) -> None:
    client = FlowClient(site, "jwt-expiry", under="/lab/strategies/")
    with client.http:
        client.login("ada", "ada-demo-password")
    bearer = {"Authorization": f"Bearer {client.token}"}

    def answers(call: str) -> set[int]:
        """Of each thread of each worker, most likely: they have connections of their own."""
        url = f"{site}/lab/strategies/jwt-expiry/{call}/"
        with ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(httpx.get, url, headers=bearer, timeout=30) for _ in range(24)]
            return {each.result().status_code for each in asked}

    assert answers("me") == {200}
    with outage(caller, "database-stop", 30):
        assert answers("me") == {503}
        assert answers("whoami") == {200}
        assert session("GET", "whoami/") == 200
        assert session("GET", "me/") == 503
        assert caller.get("/lab/").status_code == 200
    assert answers("me") == {200}


def has_ended(caller: httpx.Client) -> bool:
    """Whether the outage is over, which may take a while."""
    deadline = time.monotonic() + 30
    while caller.get("/lab/side/outage/").json()["outage"] and time.monotonic() < deadline:
        time.sleep(0.2)
    return caller.get("/lab/side/outage/").json() == {"outage": None}


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
def test_an_outage_ends_by_itself(caller: httpx.Client, session: Status, kind: str) -> None:
    caller.post("/lab/side/outage/", json={"kind": kind, "seconds": 5})
    assert has_ended(caller)
    assert session("GET", "me/") == 200
    assert session("POST", "refresh/") == 200


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["redis-stop", "database-stop"])
def test_a_killed_outage_leaves_no_store_away(
    caller: httpx.Client, session: Status, folder: Path, kind: str
) -> None:
    with outage(caller, kind, 30):
        assert session("GET", "me/") == 503
        note = json.loads((folder / "outage.json").read_text())
        os.kill(note["process"], signal.SIGKILL)
        assert has_ended(caller)
        assert session("GET", "me/") == 200


@pytest.mark.usefixtures("lab", "db")
def test_a_redis_of_others_is_not_taken_away(client: Client, settings: Settings) -> None:
    settings.REDIS_URL = "redis://elsewhere:6379/0"
    assert b"names a Redis that others may use" in client.get("/lab/").content
    for body in ({"kind": "redis-stop", "seconds": 5}, {"kind": "database-lock", "seconds": 3600}):
        answer = client.post("/lab/side/outage/", body, "application/json")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


# --- demo times -----------------------------------------------------------------------------

USUAL = {"access": 900, "refresh": 7 * 86400, "session": 14 * 86400, "grace": 10}
SHORT = {"access": 30, "refresh": 300, "session": 300, "grace": 5}


def times_of_each_worker(site: str) -> list[dict[str, Any]]:
    with each_worker(site.removeprefix("http://"), "/lab/side/worker/") as workers:
        return [worker.get("/lab/side/times/", {})[1] for worker in workers]


@pytest.mark.slow
def test_demo_times_hold_on_every_worker_and_for_both_flows(
    caller: httpx.Client, site: str
) -> None:
    for on, wanted in ((True, SHORT), (False, USUAL)):
        assert caller.post("/lab/side/times/", json={"on": on}).status_code == 200
        found = times_of_each_worker(site)
        assert len(found) == 2
        assert [{key: each[key] for key in wanted} for each in found] == [wanted, wanted]
        for strategy, seconds in (("jwt-push", "access"), ("session-push", "session")):
            client = FlowClient(site, strategy, under="/lab/strategies/")
            with client.http:
                credential = client.login("ada", "ada-demo-password")["credential"]
            assert credential["expires_in"] == wanted[seconds]


def test_demo_times_leave_the_denylist_as_long_as_older_tokens_live(settings: Settings) -> None:
    before = denylist.longest_life()
    times.apply(True)
    try:
        assert settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"].total_seconds() == 30
        assert denylist.longest_life() == before
    finally:
        times.apply(False)
    assert settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"].total_seconds() == 900


def test_a_start_goes_back_to_the_usual_times(tmp_path: Path, settings: Settings) -> None:
    settings.DEMO_TIMES_FILE = tmp_path / "demo-times"
    times.switch(on=True)
    assert times.seconds_left() > 3000
    gunicorn_config.on_starting(None)
    assert times.seconds_left() == 0
    times.apply(False)
