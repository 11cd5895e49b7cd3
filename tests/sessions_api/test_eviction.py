"""What does it mean when Redis drops a key to make room? Never a login back, and never a lie.

The site's own Redis refuses writes instead (`noeviction`). Others may be configured
otherwise, and `manage.py doctor` says so; what happens then stands here, key by key, and for
both flows in `tests/contract/test_eviction.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from accounts.models import User
from sessions_api.records import ended_name, index_name, snapshot_name
from tests.accounts.racing import browser, copy_of, log_in, post

pytestmark = [pytest.mark.django_db, pytest.mark.once]

Names = Callable[[Any, User], list[Any]]
KEYS: dict[str, Names] = {
    "record": lambda redis, user: redis.keys(f"session:{{{user.pk}}}:*"),
    "index": lambda redis, user: [index_name(user.pk)],
    "ended list": lambda redis, user: [ended_name(user.pk)],
    "snapshot": lambda redis, user: [snapshot_name(user.pk)],
    "login limit": lambda redis, user: redis.keys("login-limit:*"),
}


def whoami(client: Client) -> Any:
    return client.get("/api/sessions/whoami/")


def lose(redis: Any, user: User, key: str) -> None:
    """As an eviction does it: without a word to anybody."""
    names = KEYS[key](redis, user)
    assert names
    redis.delete(*names)


@pytest.mark.parametrize("key", KEYS)
def test_who_is_logged_in_stays_so_unless_the_record_is_gone(
    ada: User, redis: Any, key: str
) -> None:
    client = browser()
    log_in(client, "sessions")
    before = whoami(client).json()
    post(browser(), "/api/sessions/login/", {"username": "ada", "password": "wrong"})
    redis.zadd(ended_name(ada.pk), {"some other session": 1})
    lose(redis, ada, key)
    if key == "record":
        assert whoami(client).status_code == 401
        log_in(client, "sessions")
        return
    assert whoami(client).json() == before
    assert post(client, "/api/sessions/refresh/").status_code == 200
    assert whoami(client).json() == before


def test_lost_record_is_not_called_expired(ada: User, redis: Any) -> None:
    """Nobody is told that time ran out when it did not."""
    client = browser()
    log_in(client, "sessions")
    lose(redis, ada, "record")
    assert whoami(client).json()["code"] == "credential_invalid"


ENDINGS: dict[str, Callable[[Client, str], Any]] = {
    "logout": lambda client, device: post(client, "/api/sessions/logout/"),
    "logout page": lambda client, device: client.post("/sessions/logout/"),
    "logout-all": lambda client, device: post(client, "/api/sessions/logout-all/"),
    "end-device": lambda client, device: client.delete(f"/api/sessions/devices/{device}/"),
    "login again": lambda client, device: log_in(client, "sessions"),
}


@pytest.mark.parametrize("key", ["index", "ended list", "snapshot"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_said_to_be_ended_is_ended(ada: User, redis: Any, key: str, ending: str) -> None:
    """R57, R58: whatever was evicted before, or after."""
    client = browser()
    log_in(client, "sessions")
    held, device = copy_of(client), whoami(client).json()["device"]
    redis.zadd(ended_name(ada.pk), {"some other session": 1})
    lose(redis, ada, key)
    said = ENDINGS[ending](client, device)
    if (key, ending) == ("index", "end-device"):
        # Found by the index alone. Nothing is claimed, and the next use lists the device again.
        assert said.status_code == 404
        with time_machine.travel(datetime.now(UTC) + timedelta(seconds=61), tick=True):
            whoami(client)
        assert ENDINGS[ending](client, device).status_code == 204
    assert whoami(held).status_code == 401
    redis.delete(index_name(ada.pk), ended_name(ada.pk), snapshot_name(ada.pk))
    assert whoami(held).status_code == 401
    assert post(held, "/api/sessions/refresh/").status_code == 401


def test_predecessor_that_is_left_alone_opens_nothing_more(ada: User, redis: Any) -> None:
    """Refreshed, then logged out; what is evicted meanwhile makes neither id work again."""
    client = browser()
    log_in(client, "sessions")
    predecessor = copy_of(client)
    post(client, "/api/sessions/refresh/")
    held = copy_of(client)
    post(client, "/api/sessions/logout/")
    for key in ("ended list", "snapshot"):
        if redis.exists(*KEYS[key](redis, ada)):
            lose(redis, ada, key)
        for copied in (predecessor, held):
            assert whoami(copied).status_code == 401
            assert post(copied, "/api/sessions/refresh/").status_code == 401
