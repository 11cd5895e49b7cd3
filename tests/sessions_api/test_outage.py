"""What does a browser hear while Redis is really away? "Wait", never "you are logged out".

R58, R61, A41, A42, fact 7. What every call and page answers in every outage stands in
`tests/contract/test_store_outage.py`; here is what only a session can lose.
"""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts.models import User
from sessions_api.middleware import SessionMiddleware
from sessions_api.records import snapshot_name
from tests.accounts.racing import browser, copy_of, log_in, post
from tests.outages import (
    REDIS_AWAY,
    REDIS_NOT_WRITABLE,
    SHORT,
    PrivateRedis,
    busy_disk,
    needs_redis_server,
    no_database,
)

pytestmark = [pytest.mark.django_db, pytest.mark.once, needs_redis_server]


def assert_waits(response: Any) -> None:
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) >= 1
    assert settings.SESSION_COOKIE_NAME not in response.cookies


def whoami(client: Client) -> Any:
    return client.get("/api/sessions/whoami/")


def test_short_stall_is_nobodys_business(server: PrivateRedis, ada: User) -> None:
    client = browser()
    log_in(client, "sessions")
    server.tell("CLIENT", "PAUSE", int(SHORT * 1000))
    assert whoami(client).status_code == 200


@pytest.mark.thorough
def test_what_was_ended_stays_ended_when_redis_is_killed(server: PrivateRedis, ada: User) -> None:
    """While its disk is busy: a write that was answered was handed over to the kernel first."""
    client = browser()
    log_in(client, "sessions")
    held = copy_of(client)
    with busy_disk(server):
        assert post(client, "/api/sessions/logout/").status_code == 204
        server.end()
    server.start()
    assert whoami(held).json()["code"] == "credential_revoked"


def test_redis_that_restarted_empty_has_forgotten_everybody(
    server: PrivateRedis, ada: User
) -> None:
    """401, not 503: waiting would not help. The cookie is left to the next login (R61)."""
    client = browser()
    log_in(client, "sessions")
    server.end()
    server.forget()
    server.start()
    response = whoami(client)
    assert (response.status_code, response.json()["code"]) == (401, "credential_invalid")
    assert settings.SESSION_COOKIE_NAME not in response.cookies
    assert post(client, "/api/sessions/refresh/").json()["code"] == "credential_invalid"
    assert client.get("/sessions/profile/").status_code == 302
    log_in(client, "sessions")
    assert whoami(client).status_code == 200


@pytest.mark.parametrize("outage", ["killed", "stalled"])
@pytest.mark.parametrize("path", ["/", "/sessions/login/", "/jwt/login/", "/admin/", "/healthz"])
def test_pages_that_may_be_looked_at_never_break(
    path: str, outage: str, server: PrivateRedis, ada: User
) -> None:
    """A42: with a session cookie they wait, or need none; nobody loses the cookie over it."""
    client = browser()
    log_in(client, "sessions")
    with REDIS_AWAY[outage](server):
        response = client.get(path)
    assert response.status_code in (200, 503)
    assert settings.SESSION_COOKIE_NAME not in response.cookies


def test_visitor_without_a_cookie_needs_no_redis(server: PrivateRedis) -> None:
    server.end()
    for path in ("/", "/sessions/login/", "/healthz"):
        assert browser().get(path).status_code == 200
    response = browser().get("/api/sessions/whoami/")
    assert response.json()["code"] == "not_authenticated"


@pytest.mark.parametrize("outage", REDIS_NOT_WRITABLE)
def test_session_that_cannot_be_touched_is_not_lost(
    outage: str, server: PrivateRedis, ada: User
) -> None:
    """After a minute a request notes that the session was used, which it now cannot."""
    client = browser()
    log_in(client, "sessions")
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=61), tick=True):
        with REDIS_NOT_WRITABLE[outage](server):
            response = whoami(client)
        assert response.status_code in (200, 503)
        assert settings.SESSION_COOKIE_NAME not in response.cookies
        assert whoami(client).status_code == 200


@pytest.mark.parametrize("outage", REDIS_NOT_WRITABLE)
def test_who_is_asking_can_be_read_for_longer_than_a_minute(
    outage: str, server: PrivateRedis, ada: User
) -> None:
    """Else a full Redis, which answers every read, has everybody wait after one minute."""
    client = browser()
    log_in(client, "sessions")
    later = time_machine.travel(datetime.now(UTC) + timedelta(seconds=61), tick=True)
    with later, REDIS_NOT_WRITABLE[outage](server):
        assert whoami(client).status_code == 200


def test_write_on_the_way_out_that_redis_does_not_take_is_a_503(
    server: PrivateRedis, ada: User
) -> None:
    """The view is done, and its answer must not claim what was not written."""
    client = browser()
    log_in(client, "sessions")

    def write(request: HttpRequest) -> HttpResponse:
        request.session["note"] = "written as the last thing"
        server.end()
        return HttpResponse("done")

    for path in ("/api/sessions/me/", "/sessions/profile/"):
        request = RequestFactory().get(path)
        request.COOKIES = {name: morsel.value for name, morsel in client.cookies.items()}
        response: Any = SessionMiddleware(write)(request)
        assert (response.status_code, int(response.headers["Retry-After"]) >= 1) == (503, True)
        assert not response.cookies, path
        server.start()
        log_in(client, "sessions")


def test_stall_between_two_requests_leaves_no_broken_connection(
    server: PrivateRedis, ada: User
) -> None:
    """Surprise: a reply that comes after the timeout must not be taken for the next one's."""
    client, other = browser(), browser()
    log_in(client, "sessions")
    log_in(other, "sessions")
    devices = [whoami(browser_).json()["device"] for browser_ in (client, other)]
    for _ in range(3):
        with server.waited_for(5 * SHORT):
            server.signal(signal.SIGSTOP)
            assert whoami(client).status_code == 503
            server.signal(signal.SIGCONT)
            seen = [whoami(browser_).json()["device"] for browser_ in (client, other)]
        assert seen == devices


def test_use_is_noted_by_a_server_whose_clock_is_behind(
    server: PrivateRedis, ada: User, settings: Settings
) -> None:
    """Else who goes on working there for the length of the idle time is logged out."""
    client = browser()
    log_in(client, "sessions")
    (name,) = server.tell("KEYS", f"session:{{{ada.pk}}}:*")
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=1), tick=True):
        server.tell("EXPIRE", name, 60)
        assert whoami(client).status_code == 200
    assert server.tell("TTL", name) > 60


# --- the database ---------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_without_the_database_a_missing_snapshot_is_no_logout(ada: User, redis: Any) -> None:
    """Nobody knows whether ada is active: neither 200 nor 401 would be honest."""
    client = browser()
    log_in(client, "sessions")
    redis.delete(snapshot_name(ada.pk))
    with no_database():
        assert_waits(whoami(client))
        assert_waits(client.get("/sessions/profile/"))
    assert redis.exists(snapshot_name(ada.pk)) == 0, "nothing was guessed and kept"
    assert whoami(client).status_code == 200
