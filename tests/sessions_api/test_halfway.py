"""What is left when something fails, or comes between, half-way?"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.conf import settings as site_settings
from pytest_django import Settings

from accounts import lifecycle
from accounts.contract.errors import StoreUnavailable
from accounts.models import User
from sessions_api import store
from sessions_api.engine import SessionStore
from sessions_api.records import index_name
from tests.accounts.racing import browser, log_in, post

Start = Callable[..., SessionStore]


def answers(session_id: str | None) -> bool:
    return SessionStore(session_id).why_refused() is None


def test_refreshes_do_not_grow_the_index(ada: User, start: Start, redis: Any) -> None:
    """Invariant 11: one device that refreshes all day is one device."""
    session_id = start(ada).session_key or ""
    for _ in range(3 * store.MOST_DEVICES):
        session_id, _ = store.rotate(session_id)
    predecessors = redis.zrange(index_name(ada.pk), 0, -2)
    grace_is_over = int(time.time()) - 1
    redis.zadd(index_name(ada.pk), dict.fromkeys(predecessors, grace_is_over))
    session_id, _ = store.rotate(session_id)
    assert redis.zcard(index_name(ada.pk)) <= 2 * store.MOST_DEVICES
    assert answers(session_id)


@pytest.mark.django_db(transaction=True)
def test_failed_logout_all_changes_nothing(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error has changed nothing: else a login that comes next is dead on arrival."""
    client = browser()
    log_in(client, "sessions")
    monkeypatch.setattr(lifecycle, "record", lambda *args, **kwargs: 1 / 0)
    assert post(client, "/api/sessions/logout-all/").status_code == 500
    monkeypatch.undo()
    log_in(client, "sessions")
    assert client.get("/api/sessions/whoami/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_deactivation_that_redis_did_not_hear_is_not_forgotten(
    ada: User, start: Start, settings: Settings, redis: Any
) -> None:
    """Either the deactivation fails, or it takes effect once Redis is back."""
    session_id = start(ada).session_key
    assert answers(session_id), "which has filled the snapshot"
    caches = site_settings.CACHES
    settings.CACHES = {**caches, "auth": {**caches["auth"], "LOCATION": "unix:///nowhere.sock"}}
    with suppress(StoreUnavailable):
        User.objects.filter(pk=ada.pk).update(is_active=False)
    settings.CACHES = caches
    if not User.objects.get(pk=ada.pk).is_active:
        assert not answers(session_id)


def test_logout_overtaken_by_a_refresh_without_grace(
    ada: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another tab refreshes after the logout has looked at its session, and before it ends it."""
    settings.GRACE_SECONDS = 0
    client = browser()
    log_in(client, "sessions")
    end_session, successors = store.end_session, []

    def refresh_and_end(session_id: str) -> None:
        monkeypatch.setattr(store, "end_session", end_session)
        successors.append(store.rotate(session_id)[0])
        end_session(session_id)

    monkeypatch.setattr(store, "end_session", refresh_and_end)
    assert post(client, "/api/sessions/logout/").status_code == 204
    assert len(successors) == 1
    assert not answers(successors[0])


@pytest.mark.parametrize("refreshes", [1, store.MOST_SUCCESSORS])
def test_logout_with_an_id_that_was_refreshed_away_ends_the_device(
    ada: User, start: Start, settings: Settings, refreshes: int
) -> None:
    """As in the jwt flow (R43): another tab has refreshed since, and the grace is over."""
    settings.GRACE_SECONDS = 0
    first = latest = start(ada).session_key or ""
    for _ in range(refreshes):
        latest, _ = store.rotate(latest)
    client = browser(**{site_settings.SESSION_COOKIE_NAME: first})
    assert post(client, "/api/sessions/logout/").status_code == 204
    assert not answers(latest)
