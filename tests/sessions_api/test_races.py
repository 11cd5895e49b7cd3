"""Does what was ended stay ended, when something else is under way? (R59, R60, A40, fact 8)

What both flows promise of races stands in `tests/contract/test_races.py`; here is what only
the keys in Redis can show. RACE_TRIALS=100 runs every race to its full count.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from threading import Barrier, Event
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.test import Client
from pytest_django import Settings

from accounts.contract.errors import ContractError
from accounts.contract.views import MeView
from accounts.models import User
from sessions_api import records, store
from sessions_api.engine import SessionStore
from sessions_api.records import Record, digest_of, index_name, session_key_name, snapshot_name
from tests.accounts.racing import at_once, browser, log_in, post, trials

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

Start = Callable[..., SessionStore]


def session_keys(redis: Any) -> list[bytes]:
    return redis.keys("session:*")


def answers(session_id: str) -> bool:
    """Whether a request with this id would be somebody's."""
    session = SessionStore(session_id)
    return session.why_refused() is None and "_auth_user_id" in session


def session_id_of(client: Client) -> str:
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def whoami(session_id: str) -> int:
    return (
        browser(**{settings.SESSION_COOKIE_NAME: session_id})
        .get("/api/sessions/whoami/")
        .status_code
    )


# --- a write and a logout ---------------------------------------------------------------------


def test_write_racing_logout_leaves_no_session_alive(ada: User, start: Start, redis: Any) -> None:
    """R59: stock cache sessions left 788 of 5000 alive. Ours: none."""
    rounds, writers, alive = trials(250, full=5000), 4, 0
    session_ids = [start(ada).session_key]

    def write(before: Barrier) -> None:
        session = SessionStore(session_ids[0])
        session["note"] = "written while the user logs out"
        before.wait(timeout=30)
        with suppress(UpdateError):
            session.save()

    def end(before: Barrier) -> None:
        session = SessionStore(session_ids[0])
        assert session.why_refused() is None
        before.wait(timeout=30)
        session.flush()

    for _ in range(rounds):
        before = Barrier(writers + 1)
        at_once([partial(write, before) for _ in range(writers)] + [partial(end, before)])
        alive += len(session_keys(redis))
        session_ids[0] = start(ada).session_key
    assert alive == 0, f"{rounds * writers} writes"


def test_write_that_was_under_way_does_not_bring_the_session_back(
    ada: User, start: Start, redis: Any
) -> None:
    """The same, one step at a time: read, logout, write."""
    session = start(ada)
    under_way = SessionStore(session.session_key)
    under_way["note"] = "late"
    session.flush()
    with pytest.raises(UpdateError):
        under_way.save()
    assert session_keys(redis) == []


def test_write_between_read_and_write_of_a_write_is_not_lost_to_a_logout(
    ada: User, start: Start, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The logout lands inside of `write_data`, after its GET and before its SET."""
    session = start(ada)
    decode = records.decode

    def decode_and_end(raw: bytes) -> Any:
        monkeypatch.setattr(store, "decode", decode)
        session.flush()
        return decode(raw)

    monkeypatch.setattr(store, "decode", decode_and_end)
    assert store.write_data(session.session_key or "", {"note": "late"}) is False
    assert session_keys(redis) == []


def test_request_under_way_while_its_user_logs_out_is_refused(ada: User, redis: Any) -> None:
    """A40 over HTTP: the late request changes nothing, and its answer sets no cookie."""
    client = browser()
    log_in(client, "sessions")
    session_id = session_id_of(client)
    request_under_way = SessionStore(session_id)
    request_under_way["note"] = "late"
    assert post(client, "/api/sessions/logout/").status_code == 204
    with pytest.raises(UpdateError):
        request_under_way.save()
    assert whoami(session_id) == 401
    assert session_keys(redis) == []


@pytest.mark.usefixtures("atomic_requests")
@pytest.mark.parametrize("ending", ["logout", "logout-all"])
def test_slow_write_racing_a_logout_over_http(
    ada: User, redis: Any, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """R60, A40: `PATCH me/` remembers something in the session, and is held open before.

    Django would answer 400, with a page; and stock cache sessions would write it back.
    """
    reached, may_go_on = Event(), Event()
    patch_me = MeView.patch

    def slow_patch(view: MeView, request: Any) -> Any:
        answer = patch_me(view, request)
        request._request.session["note"] = "late"
        reached.set()
        assert may_go_on.wait(timeout=30)
        return answer

    monkeypatch.setattr(MeView, "patch", slow_patch)
    for _ in range(trials(4, full=200)):
        reached.clear()
        may_go_on.clear()
        client = browser()
        log_in(client, "sessions")
        writer = browser(**{settings.SESSION_COOKIE_NAME: session_id_of(client)})

        def end(client: Client = client) -> Any:
            assert reached.wait(timeout=30)
            answer = post(client, f"/api/sessions/{ending}/")
            may_go_on.set()
            return answer

        name = {"display_name": "late"}
        write = partial(writer.patch, "/api/sessions/me/", name, content_type="application/json")
        calls: list[Callable[[], Any]] = [write, end]
        answer, ended = at_once(calls)
        assert ended.status_code == 204
        assert (answer.status_code, answer.json()["code"]) == (401, "credential_revoked")
        assert answer.headers["WWW-Authenticate"].startswith("Session ")
        assert settings.SESSION_COOKIE_NAME not in answer.cookies
        assert whoami(session_id_of(writer)) == 401
        assert session_keys(redis) == []


@pytest.mark.usefixtures("atomic_requests")
def test_write_racing_a_logout_over_http(
    ada: User, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same as it comes: whoever is first, nothing is alive afterwards."""
    patch_me = MeView.patch

    def writing_patch(view: MeView, request: Any) -> Any:
        request._request.session["note"] = "written"
        return patch_me(view, request)

    monkeypatch.setattr(MeView, "patch", writing_patch)
    for _ in range(trials(4, full=200)):
        client = browser()
        log_in(client, "sessions")
        held = {settings.SESSION_COOKIE_NAME: session_id_of(client)}
        name = {"display_name": "late"}
        writes = [
            partial(
                browser(**held).patch, "/api/sessions/me/", name, content_type="application/json"
            )
            for _ in range(4)
        ]
        ended, *answers = at_once([partial(post, client, "/api/sessions/logout/"), *writes])
        assert ended.status_code == 204
        for answer in answers:
            assert answer.status_code in (200, 401)
            assert answer.status_code == 200 or answer.json()["code"] == "credential_revoked"
            assert answer.status_code == 200 or settings.SESSION_COOKIE_NAME not in answer.cookies
        assert session_keys(redis) == []


def test_touch_racing_a_write_keeps_what_was_written(
    ada: User, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noting "seen now" must not put back data that was read before somebody wrote."""
    session = start(ada)
    session_id = session.session_key or ""
    raw, record, _ = store.read(session_id)
    assert raw is not None
    assert record is not None
    store.write_data(session_id, {**record.data, "note": "written meanwhile"})
    store.touch(session_id, raw, record)
    assert SessionStore(session_id)["note"] == "written meanwhile"


def test_touch_racing_logout_brings_nothing_back(ada: User, start: Start, redis: Any) -> None:
    session = start(ada)
    session_id = session.session_key or ""
    raw, record, _ = store.read(session_id)
    assert raw is not None
    assert record is not None
    session.flush()
    store.touch(session_id, raw, record)
    assert session_keys(redis) == []
    assert redis.zcard(index_name(ada.pk)) == 0


# --- refresh ----------------------------------------------------------------------------------


@pytest.mark.parametrize("grace", [10, 0])
def test_refreshes_racing_a_logout_leave_no_key(
    ada: User, redis: Any, settings: Settings, grace: int
) -> None:
    settings.GRACE_SECONDS = grace
    for _ in range(trials(4)):
        client = browser()
        log_in(client, "sessions")
        held = {settings.SESSION_COOKIE_NAME: session_id_of(client)}
        tabs = [browser(**held) for _ in range(4)]
        refreshes = [partial(post, tab, "/api/sessions/refresh/") for tab in tabs]
        ended, *refreshed = at_once([partial(post, client, "/api/sessions/logout/"), *refreshes])
        assert ended.status_code == 204
        assert {answer.status_code for answer in refreshed} <= {200, 401}
        assert {whoami(session_id_of(tab)) for tab in tabs} == {401}
        assert session_keys(redis) == []


def test_refresh_inside_of_a_logout_is_ended_too(
    ada: User, start: Start, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The successor is listed after the logout has read the list: the logout reads it again."""
    session = start(ada)
    session_id = session.session_key or ""
    decode, successors = records.decode, []

    def decode_and_rotate(raw: bytes) -> Any:
        monkeypatch.setattr(store, "decode", decode)
        successors.append(store.rotate(session_id)[0])
        return decode(raw)

    _, record, _ = store.read(session_id)
    assert record is not None
    monkeypatch.setattr(store, "decode", decode_and_rotate)
    store.end_sessions(ada.pk, record.device)
    assert len(successors) == 1
    assert not answers(successors[0])
    assert session_keys(redis) == []


def test_write_inside_of_a_refresh_goes_on_in_the_successor(
    ada: User, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another request wrote meanwhile is not lost with the old id."""
    session = start(ada)
    session_id = session.session_key or ""
    written = {**dict(session.items()), "note": "written meanwhile"}
    put = store._put

    def write_and_put(*args: Any) -> None:
        monkeypatch.setattr(store, "_put", put)
        store.write_data(session_id, written)
        put(*args)

    monkeypatch.setattr(store, "_put", write_and_put)
    successor, _ = store.rotate(session_id)
    assert SessionStore(successor)["note"] == "written meanwhile"


def test_logout_inside_of_a_refresh_stops_the_refresh(
    ada: User, start: Start, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the other way round: the logout is done after the refresh has read its record."""
    session = start(ada)
    put = store._put

    def end_and_put(*args: Any) -> None:
        monkeypatch.setattr(store, "_put", put)
        session.flush()
        put(*args)

    session_id = session.session_key or ""
    monkeypatch.setattr(store, "_put", end_and_put)
    with pytest.raises(ContractError) as refused:
        store.rotate(session_id)
    assert refused.value.default_code == "credential_revoked"
    assert session_keys(redis) == []


# --- logins and the epoch ---------------------------------------------------------------------


def test_login_overtaken_by_logout_all_is_dead(ada: User, start: Start) -> None:
    """The same, one step at a time: the row was read, the epoch raised, the session written."""
    stale = User.objects.get(pk=ada.pk)
    ada.raise_epoch()
    session = start(stale)
    store.refresh_snapshot(ada.pk)
    assert not answers(session.session_key or "")


def test_deactivation_racing_requests_is_seen_by_the_next_one(ada: User) -> None:
    for _ in range(trials(8)):
        User.objects.filter(pk=ada.pk).update(is_active=True)
        client = browser()
        log_in(client, "sessions")
        session_id = session_id_of(client)
        calls: list[Callable[[], Any]] = [partial(whoami, session_id)] * 4
        calls.append(partial(User.objects.filter(pk=ada.pk).update, is_active=False))
        store.redis().delete(snapshot_name(ada.pk))
        at_once(calls)
        assert whoami(session_id) == 401


def test_surplus_devices_are_trimmed_under_concurrent_logins(
    ada: User, redis: Any, settings: Settings
) -> None:
    settings.LOGIN_LIMIT_ACCOUNT = 1000
    for _ in range(3):
        at_once([partial(log_in, browser(), "sessions") for _ in range(store.MOST_DEVICES // 2)])
    assert len(session_keys(redis)) <= store.MOST_DEVICES
    assert redis.zcard(index_name(ada.pk)) <= store.MOST_DEVICES


# --- noting the use ---------------------------------------------------------------------------


def inside_of_touch(
    monkeypatch: pytest.MonkeyPatch, session_id: str, meanwhile: Callable[[], Any]
) -> None:
    """Have something happen after `touch` has read the record, and before it writes it."""
    raw, record, _ = store.read(session_id)
    assert raw is not None
    assert record is not None
    idle_seconds = Record.idle_seconds
    happened: list[float] = []

    def interrupted(self: Record, now: float) -> int:
        if not happened:
            happened.append(now)
            meanwhile()
        return idle_seconds(self, now)

    with monkeypatch.context() as patch:
        patch.setattr(Record, "idle_seconds", interrupted)
        store.touch(session_id, raw, record)
    assert happened


def test_write_inside_of_a_touch_is_kept(
    ada: User, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = start(ada).session_key or ""
    written = {**dict(SessionStore(session_id).items()), "note": "written meanwhile"}
    inside_of_touch(monkeypatch, session_id, lambda: store.write_data(session_id, written))
    assert SessionStore(session_id)["note"] == "written meanwhile"


def test_logout_inside_of_a_touch_is_final(
    ada: User, start: Start, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start(ada)
    inside_of_touch(monkeypatch, session.session_key or "", session.flush)
    assert session_keys(redis) == []
    assert redis.zcard(index_name(ada.pk)) == 0


def test_refresh_inside_of_a_touch_keeps_the_predecessor_short(
    ada: User, start: Start, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threat: the old id would live for two more weeks, as good as the new one."""
    session_id = start(ada).session_key or ""
    inside_of_touch(monkeypatch, session_id, lambda: store.rotate(session_id))
    predecessor = store.read(session_id)[1]
    assert predecessor is not None
    assert predecessor.rotated
    key = session_key_name(ada.pk, digest_of(session_id))
    assert 0 < redis.ttl(key) <= settings.GRACE_SECONDS


def test_touches_racing_logout_and_refresh(ada: User, start: Start, redis: Any) -> None:
    """All at once, on real connections: nothing alive after a logout, one successor after none."""
    for number in range(trials(40)):
        session_id = start(ada).session_key or ""
        raw, record, _ = store.read(session_id)
        assert raw is not None
        assert record is not None
        touches = [partial(store.touch, session_id, raw, replace(record)) for _ in range(3)]
        ends = number % 2 == 0
        last = partial(store.end_session if ends else store.rotate, session_id)
        at_once([*touches, last])
        live = store.live_records(ada.pk)
        assert len(live) == (0 if ends else 1)
        if not ends:
            key = session_key_name(ada.pk, digest_of(session_id))
            assert redis.ttl(key) <= settings.GRACE_SECONDS
            store.end_sessions(ada.pk)
        assert session_keys(redis) == []
