"""What holds where a session is checked from memory (SESSION_CHECK=push)? All that held before."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from lab.benchmark.costs import measured
from sessions_api import store
from tests.accounts.mirroring import eventually
from tests.accounts.racing import browser, copy_of, log_in, post
from tests.outages import needs_redis_server, no_redis, private_redis

pytestmark = pytest.mark.django_db


def listening() -> Any:
    return store.mirror.of(store.redis())


def whoami(client: Client) -> Any:
    return client.get("/api/sessions/whoami/")


@pytest.fixture
def client(ada: User, settings: Settings) -> Client:
    """ada's browser, on a site whose memory knows her session."""
    settings.SESSION_CHECK = "push"
    client = browser()
    log_in(client, "sessions")
    eventually(lambda: listening().is_current)
    assert whoami(client).status_code == 200
    eventually(lambda: costs_nothing(client))
    return client


def costs_nothing(client: Client) -> bool:
    with measured(store.redis()) as cost:
        assert whoami(client).status_code == 200
    assert cost.sql == []
    return cost.redis == {}


def test_a_check_costs_no_sql_and_no_redis(client: Client) -> None:
    assert costs_nothing(client)


def test_a_logout_ends_it_for_this_process_at_once(client: Client) -> None:
    thief = copy_of(client)
    post(client, "/api/sessions/logout/")
    answer = whoami(thief)
    assert (answer.status_code, answer.json()["code"]) == (401, "credential_revoked")


def test_a_key_that_somebody_deletes_in_redis_is_gone(client: Client, redis: Any) -> None:
    """F2: whoever causes it, and without a word to us."""
    redis.delete(*redis.keys("session:*"))
    eventually(lambda: whoami(client).status_code == 401)


def test_a_key_that_expires_is_gone(client: Client, redis: Any) -> None:
    (name,) = redis.keys("session:*")
    redis.pexpire(name, 50)
    eventually(lambda: whoami(client).status_code == 401)


def test_an_emptied_redis_logs_everybody_out(client: Client, redis: Any) -> None:
    redis.flushdb()
    eventually(lambda: whoami(client).status_code == 401)


@pytest.mark.django_db(transaction=True)
def test_a_changed_row_counts_from_the_next_request(client: Client) -> None:
    user = User.objects.get(username="ada")
    user.is_staff = True
    user.save()
    assert whoami(client).json()["roles"] == ["staff"]
    user.is_active = False
    user.save()
    assert whoami(client).status_code == 401


def test_what_a_request_writes_the_next_one_reads(client: Client) -> None:
    """The memory is this process's own: it must not be older than what was just written."""
    (name,) = store.redis().keys("session:*")
    before = store.redis().get(name)
    store.write_data(client.cookies["__Host-sessionid"].value, {"basket": [1]})
    assert listening().known([name.decode()]) is None
    assert store.redis().get(name) != before


def test_without_redis_it_is_503_and_the_cookie_stays(client: Client) -> None:
    with no_redis():
        answer = whoami(client)
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert "__Host-sessionid" not in answer.cookies
    assert whoami(client).status_code == 200


@needs_redis_server
def test_a_redis_that_dies_is_believed_no_longer_than_the_bound(
    ada: User, settings: Settings
) -> None:
    settings.SESSION_CHECK = "push"
    with private_redis(settings) as server:
        client = browser()
        log_in(client, "sessions")
        eventually(lambda: listening().is_current)
        assert whoami(client).status_code == 200
        with server.waited_for():
            server.end()
            eventually(lambda: whoami(client).status_code == 503)
            server.start()
        eventually(lambda: whoami(client).status_code in (200, 401))
