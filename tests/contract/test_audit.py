"""What is written down, and what never? Audit events, logs, Redis, SQL."""

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import serializers
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_redis import get_redis_connection
from pytest_django import Settings

from accounts.client import FlowClient
from accounts.models import AuthEvent
from lab.differences import difference
from tests.contract.answers import secret_of, steal
from tests.contract.people import Enter, Person

pytestmark = pytest.mark.inside("reads the audit trail, logs and stores")


def events(person: Person) -> list[tuple[str, str, str]]:
    """Kind, flow and device of what happened, oldest first."""
    rows = AuthEvent.objects.filter(user__username=person.username).order_by("pk")
    return list(rows.values_list("kind", "flow", "device"))


def test_the_life_of_a_login_is_written_down(enter: Enter, flow: str, ada: Person) -> None:
    client = enter(ada)
    device = client.whoami()["device"]
    client.refresh()
    client.logout()
    assert events(ada) == [
        ("login", flow, device),
        ("refresh", flow, device),
        ("logout", flow, device),
    ]
    event = AuthEvent.objects.get(kind="login")
    assert event.ip == "127.0.0.1"
    assert event.user_agent.startswith("python-httpx")


def test_a_failed_login_is_shown_to_the_owner_of_the_account(
    guest: FlowClient, flow: str, ada: Person
) -> None:
    guest.send("POST", "login/", {"username": ada.username, "password": "not-the-password"})
    assert events(ada) == [("login_failed", flow, "")]


def test_a_failed_login_of_nobody_is_written_down_without_the_name(
    guest: FlowClient, flow: str, site: str
) -> None:
    """Threat: people type their password into the field of the name."""
    guest.send("POST", "login/", {"username": "my-secret-password", "password": "x"})
    row = AuthEvent.objects.get()
    assert (row.kind, row.flow, row.user_id) == ("login_failed", flow, None)
    assert "my-secret-password" not in serializers.serialize("json", [row])


def test_a_throttled_login_is_written_down(
    guest: FlowClient, flow: str, ada: Person, settings: Settings
) -> None:
    settings.LOGIN_LIMIT_ACCOUNT = 0
    guest.send("POST", "login/", {"username": ada.username, "password": ada.password})
    assert list(AuthEvent.objects.values_list("kind", "flow")) == [("login_throttled", flow)]


def test_many_throttled_logins_do_not_fill_the_audit_trail(
    guest: FlowClient, flow: str, ada: Person, settings: Settings
) -> None:
    """Threat: they cost nobody but the database anything. One row tells of a counter's window."""
    settings.LOGIN_LIMIT_ACCOUNT = 2
    settings.LOGIN_LIMIT_NETWORK = 10
    answers = [
        guest.send("POST", "login/", {"username": f"{ada.username}{n // 4}", "password": "x"})
        for n in range(40)
    ]
    assert [answer.status_code for answer in answers].count(401) == 6
    kinds = Counter(AuthEvent.objects.values_list("kind", flat=True))
    assert kinds == {"login_failed": 6, "login_throttled": 3}


def test_a_device_that_is_ended_is_written_down_with_its_own_flow(
    enter: Enter, ada: Person, other_flow: str
) -> None:
    lost = enter(ada, other_flow).whoami()["device"]
    enter(ada).end_device(lost)
    assert events(ada)[-1] == ("revoke", other_flow, lost)


def test_logout_all_and_a_new_password_are_written_down(
    enter: Enter, flow: str, ada: Person
) -> None:
    enter(ada).logout_all()
    assert events(ada)[-1][:2] == ("logout_all", flow)
    enter(ada).change_password(ada.password, "seven-swallows-over-the-mill")
    assert ("password_changed", flow) in [event[:2] for event in events(ada)]


def test_a_wrong_current_password_is_written_down(enter: Enter, flow: str, ada: Person) -> None:
    body = {"current_password": "not-the-password", "new_password": "seven-swallows"}
    enter(ada).send("POST", "password/", body)
    assert events(ada)[-1] == ("login_failed", flow, "")


def test_a_secret_used_twice_is_one_event(
    enter: Enter, guest: FlowClient, flow: str, ada: Person
) -> None:
    client = enter(ada)
    device, late = client.whoami()["device"], steal(client, guest)
    client.refresh()
    client.refresh()
    late.send("POST", "refresh/")
    late.send("POST", "refresh/")
    reused = difference("code_of_a_rotated_secret", flow) == "credential_reused"
    assert [event for event in events(ada) if event[0] == "reuse"] == [
        ("reuse", flow, device)
    ] * reused


def test_a_logout_of_nobody_is_no_event(guest: FlowClient, site: str) -> None:
    guest.send("POST", "logout/")
    assert not AuthEvent.objects.exists()


@pytest.fixture
def everything_written(caplog: pytest.LogCaptureFixture) -> Iterator[Any]:
    """All that logs, SQL statements, Redis and the audit trail hold, as one text."""
    caplog.set_level(logging.DEBUG)
    with CaptureQueriesContext(connection) as queries:

        def texts() -> str:
            redis = get_redis_connection("auth")
            keys = redis.keys("*")
            strings = [redis.get(key) for key in keys if redis.type(key) == b"string"]
            lists = [redis.zrange(key, 0, -1) for key in keys if redis.type(key) == b"zset"]
            statements = [query["sql"] for query in queries.captured_queries]
            rows = serializers.serialize("json", AuthEvent.objects.all())
            return "\n".join([caplog.text, rows, *statements, str([keys, strings, lists])])

        yield texts


def test_no_secret_is_written_anywhere(
    enter: Enter, guest: FlowClient, ada: Person, everything_written: Any
) -> None:
    """Threat: who reads a log, a dump or a key listing must not be able to log in with it."""
    secrets = {ada.password, "not-the-password-either", "seven-swallows-over-the-mill"}

    def remember(client: FlowClient) -> None:
        secrets.update({secret_of(client), client.token or secret_of(client)})
        secrets.update(cookie.value or "" for cookie in client.http.cookies.jar)

    guest.send("POST", "login/", {"username": ada.username, "password": "not-the-password-either"})
    client, other = enter(ada), enter(ada)
    remember(client)
    remember(other)
    late = steal(client, guest)
    for _ in range(2):
        client.refresh()
        remember(client)
    late.send("POST", "refresh/")
    late.send("GET", "whoami/")
    client = enter(ada)
    remember(client)
    client.end_device(other.whoami()["device"])
    client.rename("Ada")
    client.change_password(ada.password, "seven-swallows-over-the-mill")
    remember(client)
    client.logout()
    text = everything_written()
    assert len(text) > 10_000
    for secret in secrets:
        # A part of a token, or its signature alone, is as bad as the whole.
        parts = [part for part in secret.split(".") if len(part) > 20]
        assert not [part for part in {secret, *parts} if part and part in text]
