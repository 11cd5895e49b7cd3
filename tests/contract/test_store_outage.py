"""What is said while a store is away? 503 and "keep the cookie", never "you are logged out".

R58, R61, A41, A42. Each outage is real (`tests/outages.py`); each call of the contract,
and each page of a flow, meets each outage as somebody who is logged in.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from itertools import count
from secrets import token_hex
from typing import Any

import httpx
import pytest
from django.db import connection
from pytest_django import Settings

from accounts.client import FlowClient
from accounts.contract.registry import flows
from accounts.models import AuthEvent, User
from lab.differences import difference
from tests.accounts.racing import trials
from tests.contract.answers import (
    assert_ended,
    assert_refused,
    secret_of,
    set_cookies,
    steal,
)
from tests.contract.calls import CALLS, Call
from tests.contract.people import Enter, Person, Visit
from tests.contract.transport import InProcess
from tests.outages import (
    DATABASE_AWAY,
    DATABASE_NOT_WRITABLE,
    DATABASE_OUTAGES,
    PATIENT,
    REDIS_AWAY,
    REDIS_NOT_WRITABLE,
    REDIS_OUTAGES,
    SHORT,
    PrivatePostgres,
    PrivateRedis,
    kill_connections,
    needs_redis_server,
    slow,
    waits_for_locks,
    wire,
)
from tests.rows import mostly_in_ci

pytestmark = [
    pytest.mark.inside("takes a store away"),
    # Else one transaction lies around the whole test, and no lock of the site's is ever freed.
    pytest.mark.django_db(transaction=True),
]

PROMISED_SECONDS = 3
once = pytest.mark.once  # what Redis does is the same on every database


@pytest.fixture
def transport() -> InProcess:
    """The site, looking after its database connections between requests as in a server."""
    return InProcess()


@dataclass(frozen=True)
class PageCall:
    """One page of a flow, as its script or its form asks for it; it needs what `like` needs."""

    name: str
    method: str
    path: str
    like: str
    success: int = 200
    form: Callable[[Person], dict[str, str]] | None = None

    def send(self, client: FlowClient, person: Person, device: str = "") -> httpx.Response:
        headers = {"X-CSRFToken": client.csrf_token or "", "Accept": "text/html"}
        if client.token is not None:
            headers["Authorization"] = f"Bearer {client.token}"
        data = self.form(person) if self.form else None
        url = f"/{client.flow}/{self.path}"
        return client.http.request(self.method, url, headers=headers, data=data)


def login_form(person: Person) -> dict[str, str]:
    return {"username": person.username, "password": person.password}


PAGES = (
    PageCall("login page", "POST", "login/", "login", 302, login_form),
    PageCall("profile page", "GET", "profile/", "me"),
    PageCall("devices page", "GET", "devices/", "devices"),
    PageCall("rename page", "POST", "profile/", "rename", 302, lambda _: {"display_name": "Ada"}),
    PageCall("logout page", "POST", "logout/", "logout", 302),
)
EVERYTHING: tuple[Call | PageCall, ...] = CALLS + PAGES
TORN = [
    pytest.param(call, id=call.name)
    for call in EVERYTHING
    if trials(0) or call.name in ("login", "refresh", "password", "logout", "me")
]
"""What meets every single lost reply by default; with RACE_TRIALS, everything does."""

EVENTS = {
    "login": "login",
    "refresh": "refresh",
    "end-device": "revoke",
    "password": "password_changed",
    "logout": "logout",
    "logout-all": "logout_all",
}
"""What the audit trail is told of each call that changes a login."""


@dataclass
class Visitor:
    """Somebody who is logged in, and is about to ask for one thing."""

    call: Call | PageCall
    client: FlowClient
    person: Person
    device: str
    secret: str

    def ask(self) -> httpx.Response:
        return self.call.send(self.client, self.person, self.device)


def visitor(visit: Visit, flow: str, call: Call | PageCall) -> Visitor:
    """A user of their own: what the others do is not theirs."""
    person = Person(f"{call.name.replace(' ', '-')}-{token_hex(4)}", f"{call.name}-demo-password")
    User.objects.create_user(person.username, password=person.password)
    client = visit(flow)
    client.login(person.username, person.password)
    client.fetch_csrf_token()
    device = client.whoami()["device"] if call.name == "end-device" else ""
    return Visitor(call, client, person, device, secret_of(client))


def everything(flow: str) -> tuple[Call | PageCall, ...]:
    """The calls of the contract; and the pages, which a strategy of the lab has none of."""
    return EVERYTHING if flow in {each.key for each in flows()} else CALLS


def visitors(visit: Visit, flow: str) -> list[Visitor]:
    """One for each call and page."""
    return [visitor(visit, flow, call) for call in everything(flow)]


def lives_on(key: str, flow: str) -> tuple[str, ...]:
    """The names of the calls that need no such store in this flow."""
    names = difference(key, flow)
    assert isinstance(names, tuple)
    return names


def assert_waits(response: httpx.Response, visitor: Visitor) -> None:
    """503 in the form of the door that was asked at; the browser keeps what it has."""
    if isinstance(visitor.call, Call):
        assert_refused(response, 503, "store_unavailable")
    else:
        assert response.headers["content-type"].startswith("text/html")
        assert "no-store" in response.headers["cache-control"]
        assert int(response.headers["retry-after"]) >= 1
        assert visitor.person.username not in response.text
    assert set_cookies(response) == {}, "neither the credential's nor the CSRF secret's"
    assert secret_of(visitor.client) == visitor.secret


def meet(
    outage: AbstractContextManager[Any], visit: Visit, flow: str, works: tuple[str, ...]
) -> None:
    """Have every call and page meet the outage, and ask once more when it is over.

    `works` are the names of those that succeed while it lasts.
    """
    everybody = visitors(visit, flow)
    found, answers = {}, []
    with outage:
        for visitor in everybody:
            began = time.monotonic()
            response = visitor.ask()
            assert time.monotonic() - began < PROMISED_SECONDS, visitor.call.name
            found[visitor.call.name] = response.status_code
            answers.append((visitor, response))
    asked = everything(flow)
    names = {call.name: getattr(call, "like", call.name) for call in asked}
    expected = {call.name: call.success if names[call.name] in works else 503 for call in asked}
    assert found == expected
    for visitor, response in answers:
        if response.status_code == 503:
            assert_waits(response, visitor)
            again = visitor.ask()
            assert again.status_code == visitor.call.success, f"{visitor.call.name}: {again.text}"


# --- Redis ----------------------------------------------------------------------------------


# Not `jwt-push`, which answers from memory for a while: `tests/jwt_api/test_revocation.py`.
@pytest.mark.strategies("session-database", "session-push")
@once
@needs_redis_server
@pytest.mark.parametrize("outage", REDIS_AWAY)
def test_without_redis_a_call_waits_or_works(
    visit: Visit, flow: str, server: PrivateRedis, outage: str
) -> None:
    works = lives_on("lives_on_without_redis", flow)
    meet(REDIS_AWAY[outage](server), visit, flow, works)


@once
@needs_redis_server
@pytest.mark.parametrize("outage", mostly_in_ci(list(REDIS_NOT_WRITABLE), "full"))
def test_while_redis_takes_no_writes_a_call_waits_or_works(
    visit: Visit, flow: str, server: PrivateRedis, outage: str
) -> None:
    works = lives_on("lives_on_while_redis_takes_no_writes", flow)
    meet(REDIS_NOT_WRITABLE[outage](server), visit, flow, works)


@once
@needs_redis_server
def test_a_slow_redis_is_only_slow(visit: Visit, flow: str, server: PrivateRedis) -> None:
    everybody = visitors(visit, flow)
    with slow(server):
        found = {visitor.call.name: visitor.ask().status_code for visitor in everybody}
    assert found == {call.name: call.success for call in EVERYTHING}


@pytest.mark.thorough
@once
@needs_redis_server
@pytest.mark.parametrize("call", TORN)
def test_an_answer_torn_in_its_middle_can_be_asked_for_again(
    visit: Visit, flow: str, server: PrivateRedis, call: Call | PageCall
) -> None:
    """Redis has done what it was asked, and nobody heard: each reply of the call is lost once."""
    with wire(server, seconds=PATIENT) as between:
        for reply in count():
            asking = visitor(visit, flow, call)
            between.tear = between.replies + reply
            response = asking.ask()
            torn, between.tear = between.replies > between.tear, None
            where = f"reply {reply}: {response.text}"
            if not torn:
                assert response.status_code == call.success, where
                break
            # Redis had done it, and was asked once more: there is no such device any longer.
            gone = 404 if call.name == "end-device" else call.success
            assert response.status_code in (call.success, gone, 503), where
            if response.status_code == 503:
                assert_waits(response, asking)
                assert asking.ask().status_code == call.success, where


@pytest.mark.strategies("session-push", "jwt-push")
@once
@needs_redis_server
@pytest.mark.parametrize("outage", REDIS_OUTAGES)
def test_a_logout_is_claimed_when_it_is_true(
    enter: Enter, guest: FlowClient, ada: Person, server: PrivateRedis, outage: str
) -> None:
    """R58, A41: stock cache sessions answer 200, and the old cookie works again afterwards."""
    client = enter(ada)
    client.fetch_csrf_token()
    held = steal(client, guest)
    with REDIS_OUTAGES[outage](server):
        claimed = client.send("POST", "logout/").is_success
    if not claimed:
        assert client.send("POST", "logout/").status_code == 204
    assert_ended(held)


# --- the database ---------------------------------------------------------------------------


@pytest.mark.parametrize("outage", DATABASE_AWAY)
def test_without_the_database_a_call_waits_or_works(
    visit: Visit, flow: str, postgres: PrivatePostgres, outage: str
) -> None:
    with DATABASE_AWAY[outage](postgres) as away, waits_for_locks():
        meet(away(), visit, flow, lives_on("lives_on_without_database", flow))


@pytest.mark.parametrize("outage", DATABASE_NOT_WRITABLE)
def test_while_the_database_takes_no_writes_a_call_waits_or_works(
    visit: Visit, flow: str, postgres: PrivatePostgres, outage: str
) -> None:
    works = lives_on("lives_on_while_the_database_takes_no_writes", flow)
    with DATABASE_NOT_WRITABLE[outage](postgres) as locked, waits_for_locks():
        meet(locked(), visit, flow, works)


@pytest.mark.parametrize(
    "outage", mostly_in_ci(list(DATABASE_OUTAGES), next(iter(DATABASE_NOT_WRITABLE)))
)
def test_the_audit_trail_loses_no_event_without_a_word(
    visit: Visit,
    flow: str,
    postgres: PrivatePostgres,
    outage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What was done during the outage, or when asked for again, is a row or says that it is not."""
    with DATABASE_OUTAGES[outage](postgres) as away, waits_for_locks():
        everybody = [visitor(visit, flow, call) for call in CALLS if call.name in EVENTS]
        with away():
            answers = [(asking, asking.ask()) for asking in everybody]
        for asking, response in answers:
            if response.status_code == 503:
                assert asking.ask().is_success
        for asking in everybody:
            kind = EVENTS[asking.call.name]
            stored = AuthEvent.objects.filter(user__username=asking.person.username, kind=kind)
            gaps = [
                line.msg
                for line in caplog.records
                if line.levelname == "ERROR" and "audit_event_not_stored" in str(line.msg)
            ]
            said = any(f"'kind': '{kind}'" in str(gap) for gap in gaps)
            assert stored.count() > (kind == "login") or said, kind


@pytest.mark.parametrize("outage", DATABASE_NOT_WRITABLE)
def test_a_lock_that_is_freed_in_time_is_nobodys_business(
    enter: Enter, ada: Person, postgres: PrivatePostgres, outage: str
) -> None:
    client = enter(ada)
    client.fetch_csrf_token()
    with DATABASE_NOT_WRITABLE[outage](postgres) as locked, ExitStack() as held:
        held.enter_context(locked())
        freeing = threading.Timer(SHORT, held.close)
        freeing.start()
        assert client.send("POST", "refresh/").status_code == 200
        freeing.join()


def test_an_outage_longer_than_the_grace_costs_nobody_the_login(
    enter: Enter, ada: Person, postgres: PrivatePostgres, settings: Settings
) -> None:
    """Threat to a flow whose two stores disagree: refreshed in one, refused for the other."""
    settings.GRACE_SECONDS = 1
    outage = next(iter(DATABASE_NOT_WRITABLE.values()))
    client = enter(ada)
    client.fetch_csrf_token()
    with outage(postgres) as locked, waits_for_locks(), locked():
        client.send("POST", "refresh/")
        time.sleep(1.1)
    assert client.send("POST", "refresh/").status_code == 200


if connection.vendor == "postgresql":

    def test_connections_that_were_killed_in_between_are_made_anew(visit: Visit, flow: str) -> None:
        """A restart between two requests is nobody's business (`CONN_HEALTH_CHECKS`)."""
        found = {}
        for asking in visitors(visit, flow):
            kill_connections()
            found[asking.call.name] = asking.ask().status_code
        assert found == {call.name: call.success for call in EVERYTHING}

    @pytest.mark.parametrize("call", TORN)
    def test_a_connection_killed_within_a_request_costs_a_retry(
        visit: Visit, flow: str, call: Call | PageCall
    ) -> None:
        """Before each statement of each call."""
        for number in count():
            asking = visitor(visit, flow, call)
            statements = count()

            def kill(execute: Callable[..., Any], *arguments: Any, number: int = number) -> Any:
                if next(statements) == number:  # noqa: B023  # called before the next round
                    kill_connections()
                return execute(*arguments)

            with connection.execute_wrapper(kill):
                response = asking.ask()
            if next(statements) <= number:
                assert response.status_code == call.success
                break
            assert response.status_code in (call.success, 503), f"{call}, statement {number}"
            if response.status_code == 503:
                assert_waits(response, asking)
                assert asking.ask().status_code == call.success

    WHEN = ("within the request", "before the request")
    STANDS_STILL = [
        pytest.param(
            *(call, when),
            marks=[] if (call.name, when) == ("me", WHEN[0]) else [pytest.mark.thorough],
            id=f"{call.name}-{when}",
        )
        for call in CALLS
        if call.name in ("login", "refresh", "me", "logout")
        for when in WHEN
    ]

    @pytest.mark.alone
    @pytest.mark.parametrize(("call", "when"), STANDS_STILL)
    def test_a_server_that_stands_still_is_waited_for_no_longer_than_promised(
        visit: Visit, flow: str, postgres: PrivatePostgres, call: Call, when: str
    ) -> None:
        """R61: its kernel holds the connection open, and answers every keepalive."""
        stalled: list[tuple[float, Callable[[], None]]] = []

        def stall() -> None:
            go_on = postgres.stall()
            stalled.append((time.monotonic(), go_on))

        def stall_first(execute: Callable[..., Any], *arguments: Any) -> Any:
            if not stalled:
                stall()
            return execute(*arguments)

        with postgres.used():
            asking = visitor(visit, flow, call)
            if when == "before the request":
                stall()
            try:
                with connection.execute_wrapper(stall_first):
                    response = asking.ask()
            finally:
                for began, go_on in stalled:
                    took = time.monotonic() - began
                    go_on()
            assert took < PROMISED_SECONDS
            if response.status_code == 503:
                assert_waits(response, asking)
                response = asking.ask()
            else:
                assert call.name in lives_on("lives_on_without_database", flow)
            assert response.status_code == call.success


# --- both -----------------------------------------------------------------------------------


@pytest.mark.parametrize("grace", [0, 10])
def test_a_losing_refresh_leaves_the_winners_cookie_alone(
    enter: Enter, guest: FlowClient, ada: Person, settings: Settings, grace: int
) -> None:
    """Two tabs have one cookie jar; a refusal that deletes would delete what the other got."""
    settings.GRACE_SECONDS = grace
    winner = enter(ada)
    loser = steal(winner, guest)
    winner.refresh()
    if grace:
        winner.refresh()
    response = loser.send("POST", "refresh/")
    assert response.status_code == 401
    assert set_cookies(response) == {}


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_load_balancer_can_tell_alive_from_ready(
    guest: FlowClient, server: PrivateRedis, path: str
) -> None:
    assert guest.http.get(path).status_code == 200
    server.end()
    assert guest.http.get(path).status_code == {"/healthz": 200, "/readyz": 503}[path]
