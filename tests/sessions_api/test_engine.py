"""Does `request.session` keep Django's promises on our store, and some that Django itself breaks?

The first part follows Django's `SessionTestsMixin`, which every engine has to satisfy.
"""

import asyncio
import json
import os
import pickle
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pytest
from django.conf import settings
from django.contrib.auth import (
    HASH_SESSION_KEY,
    SESSION_KEY,
    login,
    logout,
    update_session_auth_hash,
)
from django.contrib.sessions.backends.base import UpdateError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, TestCase
from pytest_django import Settings

from accounts.if_unchanged import execute_if_unchanged
from accounts.models import User
from sessions_api import store
from sessions_api.checks import check_session_alias
from sessions_api.engine import SessionStore, session_of
from sessions_api.middleware import SessionMiddleware
from sessions_api.records import digest_of, new_session_id, session_key_name, user_of
from tests.accounts.racing import browser, log_in, post

pytestmark = [pytest.mark.once, pytest.mark.django_db]

Start = Callable[..., SessionStore]


def key_of(session_id: str | None) -> str:
    """Where the record of a session stands in Redis."""
    assert session_id is not None
    return session_key_name(user_of(session_id), digest_of(session_id))


def cookie_of(client: Client) -> str:
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def holding(session_id: str | None) -> Client:
    """A browser that presents this session id."""
    return browser(**{settings.SESSION_COOKIE_NAME: session_id or ""})


def whoami(session_id: str | None) -> Any:
    return holding(session_id).get("/api/sessions/whoami/")


def request_with(session: SessionStore, path: str = "/") -> HttpRequest:
    """A request as it arrives at a view, with this session."""
    request = RequestFactory().get(path)
    request.session = session
    return request


def saved(**values: Any) -> SessionStore:
    """An anonymous session that stands in Redis."""
    session = SessionStore()
    session.update(values)
    session.save()
    return session


def again(session: SessionStore) -> SessionStore:
    """The same session, as the next request loads it."""
    return SessionStore(session.session_key)


# --- what Django expects of every engine ----------------------------------------------------------


def test_new_session_has_no_id_and_was_not_touched(redis: Any) -> None:
    session = SessionStore()
    assert session.session_key is None
    assert not session.modified
    assert not session.accessed
    assert redis.keys() == []


def test_django_finds_the_engine_by_its_setting() -> None:
    assert import_module(settings.SESSION_ENGINE).SessionStore is SessionStore


def test_values_can_be_set_read_and_deleted() -> None:
    session = SessionStore()
    assert session.get("cat") is None
    session["cat"] = "dog"
    assert session.modified
    assert session.pop("cat") == "dog"
    assert session.pop("cat", "none") == "none"
    session["cat"] = "dog"
    del session["cat"]
    assert "cat" not in session


def test_reading_only_does_not_mark_the_session_as_modified() -> None:
    session = again(saved(cat="dog"))
    assert session.get("cat") == "dog"
    assert session.pop("gone", None) is None
    assert list(session.items()) == [("cat", "dog")]
    assert session.accessed
    assert not session.modified


def test_setdefault_sets_once() -> None:
    session = SessionStore()
    assert session.setdefault("cat", "dog") == "dog"
    assert session.setdefault("cat", "owl") == "dog"


def test_update_survives_a_save() -> None:
    session = again(saved(cat="dog"))
    session.update({"owl": [1, 2, {"three": None}]})
    session.save()
    assert dict(again(session).items()) == {"cat": "dog", "owl": [1, 2, {"three": None}]}


def test_change_inside_of_a_value_survives_a_save() -> None:
    session = again(saved(cart=["tea"]))
    session["cart"].append("bread")
    session.modified = True
    session.save()
    assert again(session)["cart"] == ["tea", "bread"]


def test_clear_empties_and_is_saved() -> None:
    session = again(saved(cat="dog"))
    session.clear()
    assert session.modified
    assert list(session.items()) == []
    session.save()
    assert list(again(session).items()) == []


def test_flush_ends_the_session_and_its_id(redis: Any) -> None:
    session = again(saved(cat="dog"))
    before = session.session_key
    session.flush()
    assert session.session_key is None
    assert session.modified
    assert list(session.items()) == []
    assert not SessionStore().exists(before or "")
    assert redis.keys() == []


def test_session_goes_on_after_a_flush_under_a_new_id() -> None:
    session = saved(cat="dog")
    before = session.session_key
    session.flush()
    session["owl"] = "hoot"
    session.save()
    assert session.session_key not in (None, before)
    assert dict(again(session).items()) == {"owl": "hoot"}


def test_save_twice_keeps_one_id_and_the_later_data(redis: Any) -> None:
    session = saved(cat="dog")
    session["cat"] = "owl"
    session.save()
    assert again(session)["cat"] == "owl"
    assert len(redis.keys("session:*")) == 1


def test_save_without_a_change_costs_nothing(redis: Any) -> None:
    session = again(saved(cat="dog"))
    session.load()
    calls = redis.info("commandstats")
    session["cat"] = "dog"
    session.save()
    assert redis.info("commandstats").get("cmdstat_set") == calls.get("cmdstat_set")


def test_create_stores_an_empty_session() -> None:
    session = SessionStore()
    session.create()
    assert session.session_key is not None
    assert SessionStore().exists(session.session_key)


def test_delete_ends_the_named_session_and_no_other() -> None:
    first, second = saved(cat="dog"), saved(owl="hoot")
    first.delete(second.session_key)
    assert SessionStore().exists(first.session_key or "")
    assert not SessionStore().exists(second.session_key or "")


def test_delete_of_an_unknown_session_is_fine() -> None:
    SessionStore().delete(new_session_id(0))
    SessionStore().delete()


def test_clear_expired_leaves_live_sessions_alone() -> None:
    session = saved(cat="dog")
    SessionStore.clear_expired()
    assert again(session)["cat"] == "dog"


def test_cookie_can_live_until_the_absolute_end() -> None:
    assert settings.ABSOLUTE_SECONDS - 2 <= saved().get_expiry_age() <= settings.ABSOLUTE_SECONDS
    assert SessionStore().get_expiry_age() == settings.ABSOLUTE_SECONDS


# --- ids ------------------------------------------------------------------------------------------


def test_unknown_id_creates_no_record_and_is_not_adopted(redis: Any) -> None:
    """R56: the id would be the attacker's who planted it."""
    planted = new_session_id(0)
    session = SessionStore(planted)
    assert session.get("cat") is None
    assert redis.keys() == []
    session["cat"] = "dog"
    session.save()
    assert session.session_key not in (None, planted)
    assert not SessionStore().exists(planted)


INVALID_IDS = {
    "empty": "",
    "one dot": ".",
    "short": "0.abc",
    "one character less": "0." + "a" * 42,
    "one character more": "0." + "a" * 44,
    "no user": "." + "a" * 43,
    "no dot": "a" * 45,
    "Django's own kind": "abcdefghijklmnopqrstuvwxyz012345",
    "NUL": "0." + "a" * 42 + "\0",
    "line feed at the end": "0." + "a" * 43 + "\n",
    "space": " 0." + "a" * 43,
    "a brace that would move the hash tag": "0}." + "a" * 43,
    "a colon": "0." + "a" * 42 + ":",
    "leading zero": "01." + "a" * 43,
    "negative user": "-1." + "a" * 43,
    "digits of another script": "٣." + "a" * 43,
    "letters of another script": "0." + "ä" * 43,
    "user of nineteen digits": "9" * 19 + "." + "a" * 43,
    "user of five thousand digits": "9" * 5000 + "." + "a" * 43,
    "exponent": "1e5." + "a" * 43,
    "path": "0./../../" + "a" * 35,
    "a glob": "0." + "*" * 43,
}


@pytest.mark.parametrize("session_id", INVALID_IDS.values(), ids=INVALID_IDS.keys())
def test_malformed_id_never_reaches_redis(
    session_id: str, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        pytest.fail("asked Redis")

    with monkeypatch.context() as patch:
        patch.setattr(store, "redis", fail)
        session = SessionStore(session_id)
        assert session.session_key is None
        assert list(session.items()) == []
        if session_id:
            refusal = session.why_refused()
            assert refusal is not None
            assert refusal.default_code == "credential_invalid"
    assert redis.keys() == []


@pytest.mark.parametrize("user_id", [1, 2**31, 10**18 - 1], ids=str)
def test_well_formed_id_of_nobody_is_401(user_id: int, redis: Any) -> None:
    response = whoami(new_session_id(user_id))
    assert (response.status_code, response.json()["code"]) == (401, "credential_invalid")
    assert redis.keys() == []


def test_malformed_id_neither_exists_nor_can_be_deleted() -> None:
    assert not SessionStore().exists("nope")
    SessionStore().delete("nope")


def test_save_of_an_ended_session_raises_and_creates_nothing(redis: Any) -> None:
    """R59. Django's own test of this is sequential; the races are in `test_races.py`."""
    session = again(saved(cat="dog"))
    session["cat"] = "owl"
    session.delete(session.session_key)
    with pytest.raises(UpdateError):
        session.save()
    assert redis.keys() == []


def test_cycle_key_keeps_the_data_and_ends_the_old_id() -> None:
    session = again(saved(cat="dog"))
    before = session.session_key
    session.cycle_key()
    session.save()
    assert session.session_key != before
    assert again(session)["cat"] == "dog"
    assert not SessionStore().exists(before or "")


def test_cycle_key_of_a_logged_in_session_keeps_the_login(ada: User, start: Start) -> None:
    """Django does so in its password views, and when SECRET_KEY was rotated."""
    session = again(start(ada, cat="dog"))
    before = session.session_key
    session.cycle_key()
    session.save()
    assert whoami(session.session_key).status_code == 200
    assert again(session)["cat"] == "dog"
    assert whoami(before).status_code == 401


@pytest.mark.parametrize("who", ["ada", "a visitor"])
def test_a_session_under_another_id_is_not_written_where_its_login_was_ended(
    ada: User, start: Start, who: str
) -> None:
    """Threat: Django renews the id of a session whose hash a former SECRET_KEY made, in memory. A
    logout that comes before it is written would be survived by it.
    """
    session = again(start(ada) if who == "ada" else saved(cat="dog"))
    before = session.session_key
    session.cycle_key()
    store.end_session(before or "")
    with pytest.raises(UpdateError):
        session.save()
    assert store.redis().keys("session:*") == []


def test_a_session_under_another_id_outlives_a_write_to_the_old_one(
    ada: User, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = again(start(ada, cat="dog"))
    before = session.session_key or ""
    session.cycle_key()

    def written_meanwhile(*args: Any) -> tuple[bool, list[Any]]:
        monkeypatch.setattr(store, "execute_if_unchanged", execute_if_unchanged)
        assert store.write_data(before, {**SessionStore(before).load(), "note": "another tab's"})
        return execute_if_unchanged(*args)

    monkeypatch.setattr(store, "execute_if_unchanged", written_meanwhile)
    session.save()
    assert whoami(session.session_key).status_code == 200
    assert whoami(before).status_code == 401


def test_a_session_under_another_id_is_not_written_where_the_old_one_was_refreshed(
    ada: User, start: Start
) -> None:
    session = again(start(ada))
    session.cycle_key()
    refreshed, _ = store.rotate(session._retired or "")
    with pytest.raises(UpdateError):
        session.save()
    assert whoami(refreshed).status_code == 200


def test_one_session_goes_on_where_two_requests_renew_its_id(
    ada: User, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = start(ada)
    one, other = again(session), again(session)
    one.cycle_key()
    other.cycle_key()

    def overtaken(*args: Any) -> tuple[bool, list[Any]]:
        monkeypatch.setattr(store, "execute_if_unchanged", execute_if_unchanged)
        other.save()
        return execute_if_unchanged(*args)

    monkeypatch.setattr(store, "execute_if_unchanged", overtaken)
    with pytest.raises(UpdateError):
        one.save()
    live = [digest for digest, _ in store.live_records(ada.pk)]
    assert live == [digest_of(other.session_key or "")]


def test_update_session_auth_hash_keeps_this_login(ada: User, start: Start) -> None:
    session, other = again(start(ada)), again(start(ada))
    assert session[SESSION_KEY] == str(ada.pk), "loaded, as for every request with a user"
    with TestCase.captureOnCommitCallbacks(execute=True):
        ada.set_password("seven-swallows-over-the-mill")
        ada.save()
    request = request_with(session)
    request.user = ada
    update_session_auth_hash(request, ada)
    session.save()
    assert whoami(other.session_key).status_code == 401
    assert whoami(session.session_key).status_code == 200


def test_flush_ends_the_id_that_was_to_be_replaced(ada: User, start: Start) -> None:
    """Login and logout in one request: nothing was saved in between, and the old id must go."""
    session = again(start(ada))
    before = session.session_key
    session.cycle_key()
    session.flush()
    assert whoami(before).status_code == 401


# --- what stands under a session's key, and is none of ours --------------------------------------


class RunsCode:
    """What mallory would write: unpickling it creates a file (A44, fact 9)."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.proof}",)


def record_with(user: User, **changes: Any) -> bytes:
    """A record as it would be, except for what mallory changed."""
    now = int(time.time())
    values = {
        "device": "AAAAAAAAAAA",
        "created": now,
        "used_after": 0,
        "ip": "127.0.0.1",
        "agent": "Firefox on Linux",
        "user_id": str(user.pk),
        "auth_hash": user.get_session_auth_hash(),
        **changes,
    }
    return json.dumps([*values.values()]).encode()


FOREIGN_VALUES: dict[str, Callable[[User], bytes]] = {
    "nothing": lambda user: b"",
    "random bytes": lambda user: bytes(range(256)),
    "invalid UTF-8": lambda user: b'{"device": "\xff"}',
    "null": lambda user: b"null",
    "a list": lambda user: b"[]",
    "a number": lambda user: b"17",
    "a string": lambda user: b'"session"',
    "deeply nested": lambda user: b"[" * 100_000,
    "a number of ten thousand digits": lambda user: b"9" * 10_000,
    "an empty object": lambda user: b"{}",
    "half a record": lambda user: record_with(user)[:-10],
    "a record with one field more": lambda user: record_with(user, more={"admin": True}),
    "a record with one member more": lambda user: record_with(user, more={}, admin=True),
    "a field that it has already": lambda user: record_with(user, more={"device": "B"}),
    "more that is a list": lambda user: record_with(user, more=[]),
    "data that are a list": lambda user: record_with(user, more={"data": []}),
    "data that are text": lambda user: record_with(user, more={"data": "ada"}),
    "created as text": lambda user: record_with(user, created="now"),
    "created as not a number": lambda user: record_with(user, created=float("nan")),
    "both times as text": lambda user: record_with(user, created="1", used_after="1"),
    "seen as nothing": lambda user: record_with(user, used_after=None),
    "seen as a fraction": lambda user: record_with(user, used_after=0.5),
    "another user's id": lambda user: record_with(user, user_id=str(user.pk + 1)),
    "no user's id": lambda user: record_with(user, user_id=None),
}
FOREIGN_TIMES: dict[str, dict[str, Any]] = {
    "created beyond all time": {"created": 10**400},
    "seen before all time": {"used_after": -(10**400)},
    "seen beyond all time": {"used_after": 10**400},
}


@pytest.mark.parametrize("make", FOREIGN_VALUES.values(), ids=FOREIGN_VALUES.keys())
def test_foreign_value_under_a_key_is_401(
    make: Callable[[User], bytes], ada: User, redis: Any
) -> None:
    """R66, A44: neither code, nor a login, nor a 500."""
    session_id = new_session_id(ada.pk)
    redis.set(key_of(session_id), make(ada))
    response = whoami(session_id)
    assert (response.status_code, response.json()["code"]) == (401, "credential_invalid")


@pytest.mark.parametrize("changes", FOREIGN_TIMES.values(), ids=FOREIGN_TIMES.keys())
def test_times_that_no_clock_shows_are_401(changes: dict[str, Any], ada: User, redis: Any) -> None:
    session_id = new_session_id(ada.pk)
    redis.set(key_of(session_id), record_with(ada, **changes))
    assert whoami(session_id).status_code == 401


def test_epoch_of_five_thousand_digits_is_401(ada: User, redis: Any) -> None:
    session_id = new_session_id(ada.pk)
    redis.set(key_of(session_id), record_with(ada, auth_hash="9" * 5000 + ".x"))
    assert whoami(session_id).status_code == 401


def test_record_that_was_overwritten_with_a_pickle_runs_nothing(
    ada: User, start: Start, redis: Any, tmp_path: Path
) -> None:
    """Stock django-redis runs it with the next GET (fact 9, A44)."""
    proof = tmp_path / "mallory-was-here"
    payload = pickle.dumps(RunsCode(proof))
    session = start(ada)
    redis.set(key_of(session.session_key), payload)
    client = holding(session.session_key)
    for path in ("/api/sessions/whoami/", "/api/sessions/me/", "/sessions/profile/", "/"):
        assert client.get(path).status_code < 500
    assert not proof.exists()
    pickle.loads(payload)
    assert proof.exists(), "the payload does work where it is unpickled"


def test_unreadable_record_of_a_listed_session_is_invalid(
    ada: User, start: Start, redis: Any
) -> None:
    """It did not expire and nobody ended it: "refresh" would be the wrong advice."""
    session = start(ada)
    redis.set(key_of(session.session_key), b"\x80\x04garbage")
    assert whoami(session.session_key).json()["code"] == "credential_invalid"


def test_key_of_another_type_is_no_5xx(ada: User, start: Start, redis: Any) -> None:
    session = start(ada)
    redis.delete(key_of(session.session_key))
    redis.rpush(key_of(session.session_key), "a list")
    assert whoami(session.session_key).status_code == 401


def test_foreign_value_can_still_be_logged_out(ada: User, start: Start, redis: Any) -> None:
    session = start(ada)
    redis.set(key_of(session.session_key), b"garbage")
    client = holding(session.session_key)
    assert post(client, "/api/sessions/logout/").status_code == 204


def test_login_replaces_a_foreign_value(ada: User, redis: Any) -> None:
    planted = new_session_id(0)
    redis.set(key_of(planted), pickle.dumps({SESSION_KEY: "1"}))
    client = holding(planted)
    log_in(client, "sessions")
    assert cookie_of(client) != planted
    assert client.get("/api/sessions/whoami/").status_code == 200


def test_record_moved_under_another_users_id_is_refused(
    ada: User, mallory: User, start: Start, redis: Any
) -> None:
    """Threat: ada's record under mallory's id would be judged by mallory's snapshot."""
    hers = start(ada)
    for borrower in (mallory.pk, 0):
        borrowed = new_session_id(borrower)
        redis.set(key_of(borrowed), redis.get(key_of(hers.session_key)))
        response = whoami(borrowed)
        assert (response.status_code, response.json()["code"]) == (401, "credential_invalid")


def test_anonymous_record_under_a_users_id_is_refused(ada: User, redis: Any) -> None:
    borrowed = new_session_id(ada.pk)
    redis.set(key_of(borrowed), redis.get(key_of(saved(cat="dog").session_key)))
    assert whoami(borrowed).json()["code"] == "credential_invalid"


# --- fixation -------------------------------------------------------------------------------------


def test_every_login_gets_a_new_id_and_ends_the_old_one(ada: User, mallory: User) -> None:
    """R55, A39: stock Django keeps the id when the same user logs in again."""
    client = browser()
    ids, devices = [], []
    for name in ("ada", "ada", "mallory", "ada"):
        log_in(client, "sessions", name)
        ids.append(cookie_of(client))
        devices.append(client.get("/api/sessions/whoami/").json()["device"])
    assert len(set(ids)) == len(set(devices)) == 4
    assert [whoami(session_id).status_code for session_id in ids] == [401, 401, 401, 200]


def test_django_login_of_the_same_user_gets_a_new_id(ada: User, start: Start) -> None:
    """R55 for whoever calls Django's `login` without our flow, as the admin would."""
    session = again(start(ada))
    before = session.session_key
    login(request_with(session), ada, backend="accounts.backends.ThrottledBackend")
    session.save()
    assert whoami(before).status_code == 401
    assert whoami(session.session_key).status_code == 200


def test_planted_anonymous_session_does_not_become_the_victims(ada: User) -> None:
    """A38: mallory plants an id that really exists, and waits for ada to log in."""
    planted = saved(cart=["tea"])
    client = holding(planted.session_key)
    log_in(client, "sessions")
    assert cookie_of(client) != planted.session_key
    assert whoami(planted.session_key).status_code == 401
    assert not SessionStore().exists(planted.session_key or "")
    assert SessionStore(cookie_of(client))["cart"] == ["tea"], "as Django does"


def test_planted_login_of_mallory_does_not_become_the_victims(
    ada: User, mallory: User, start: Start
) -> None:
    planted = start(mallory, cart=["poison"])
    client = holding(planted.session_key)
    log_in(client, "sessions")
    assert client.get("/api/sessions/whoami/").json()["id"] == ada.pk
    assert "cart" not in SessionStore(cookie_of(client)), "another user's data are not carried on"
    assert whoami(planted.session_key).status_code == 401


# --- Django's own ways in and out -----------------------------------------------------------------


def test_force_login_of_the_test_client_works(ada: User) -> None:
    client = Client()
    client.force_login(ada)
    assert client.get("/api/sessions/whoami/").json()["id"] == ada.pk
    assert client.get("/sessions/profile/").status_code == 200
    before = cookie_of(client)
    client.logout()
    assert whoami(before).status_code == 401


def test_session_of_the_test_client_can_be_written(ada: User) -> None:
    client = Client()
    session = client.session
    session["cat"] = "dog"
    session.save()
    assert client.session["cat"] == "dog"


def test_login_page_logs_in_and_logout_page_out(ada: User) -> None:
    client = browser()
    form = {"username": "ada", "password": "ada-demo-password"}
    assert client.post("/sessions/login/", form).status_code == 302
    assert client.get("/sessions/profile/").status_code == 200
    before = cookie_of(client)
    client.post("/sessions/logout/")
    assert cookie_of(client) == ""
    assert holding(before).get("/sessions/profile/").status_code == 302


def test_admin_stands_on_the_same_sessions(ada: User) -> None:
    ada.is_staff = ada.is_superuser = True
    ada.save()
    client = browser()
    log_in(client, "sessions")
    assert client.get("/admin/").status_code == 200
    post(client, "/api/sessions/logout/")
    assert client.get("/admin/").status_code == 302


def test_django_login_and_logout_in_one_request_leave_nothing(ada: User, redis: Any) -> None:
    session = SessionStore()
    request = request_with(session)
    login(request, ada, backend="accounts.backends.ThrottledBackend")
    logout(request)
    assert session.is_empty()
    assert redis.keys("session:*") == []


def test_asynchronous_login_is_a_login(ada: User, mallory: User, start: Start) -> None:
    """What Django's `alogin` does. Surprise: it reaches past `__setitem__` and `cycle_key`."""
    planted = start(mallory)

    async def log_in_asynchronously(session: SessionStore) -> None:
        await session.aflush()
        await session.acycle_key()
        await session.aset(SESSION_KEY, str(ada.pk))
        await session.aset(HASH_SESSION_KEY, ada.get_session_auth_hash())
        await session.asave()

    session = again(planted)
    # In a thread of its own: the browser tests keep an event loop in this one.
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(lambda: asyncio.run(log_in_asynchronously(session))).result()
    assert whoami(session.session_key).json()["id"] == ada.pk
    assert whoami(planted.session_key).status_code == 401


# --- the middleware, and the cookie ---------------------------------------------------------------


def visit(
    path: str, session_id: str | None, view: Callable[[HttpRequest], HttpResponse]
) -> HttpResponse:
    """One request through the session middleware alone."""
    request = RequestFactory().get(path)
    request.COOKIES[settings.SESSION_COOKIE_NAME] = session_id or ""
    return cast(HttpResponse, SessionMiddleware(view)(request))


def write_while_ending(request: HttpRequest) -> HttpResponse:
    """A view that writes, while its user logs out elsewhere."""
    session = session_of(request)
    session["note"] = "late"
    store.end_session(session.session_key or "")
    return HttpResponse("written")


def test_api_answers_a_session_that_ended_meanwhile_with_401(
    ada: User, start: Start, redis: Any
) -> None:
    """A40. Django would answer 400."""
    response: Any = visit("/api/sessions/me/", start(ada).session_key, write_while_ending)
    assert (response.status_code, json.loads(response.content)["code"]) == (
        401,
        "credential_revoked",
    )
    assert response.headers["WWW-Authenticate"].startswith("Session ")
    assert "no-store" in response.headers["Cache-Control"]
    assert not response.cookies
    assert redis.keys("session:*") == []


def test_page_answers_a_session_that_ended_meanwhile_with_a_redirect(
    ada: User, start: Start, redis: Any
) -> None:
    response: Any = visit("/sessions/profile/", start(ada).session_key, write_while_ending)
    assert (response.status_code, response.url) == (302, "/sessions/profile/")
    assert not response.cookies
    assert redis.keys("session:*") == []


def test_failed_request_writes_no_session_and_touches_no_cookie(ada: User, start: Start) -> None:
    session = start(ada)

    def fail(request: HttpRequest) -> HttpResponse:
        request.session["note"] = "half done"
        return HttpResponse(status=500)

    assert not visit("/", session.session_key, fail).cookies
    assert "note" not in again(session)


def ended(session: SessionStore) -> str:
    session_id = session.session_key
    session.flush()
    return session_id or ""


NOT_ACCEPTED: dict[str, Callable[[SessionStore], str]] = {
    "unknown": lambda session: new_session_id(0),
    "malformed": lambda session: "planted",
    "ended": ended,
}


def test_failed_logout_leaves_the_cookie(ada: User, start: Start) -> None:
    """Redis took its part and the database did not: with the cookie it can be asked again (R58)."""

    def end_and_fail(request: HttpRequest) -> HttpResponse:
        request.session.flush()
        return HttpResponse(status=503)

    assert not visit("/", start(ada).session_key, end_and_fail).cookies


@pytest.mark.parametrize("path", ["/", "/sessions/profile/", "/api/sessions/whoami/"])
@pytest.mark.parametrize("kind", NOT_ACCEPTED)
def test_old_id_does_not_cost_the_browser_its_cookie(
    kind: str, path: str, ada: User, start: Start, redis: Any
) -> None:
    """R61. Threat: a late answer would delete what a login in another tab has just set."""
    session = start(ada)
    client = holding(NOT_ACCEPTED[kind](session))
    response = client.get(path)
    assert settings.SESSION_COOKIE_NAME not in response.cookies
    assert "Set-Cookie" not in response.headers


def test_losing_refresh_does_not_cost_the_browser_its_cookie(ada: User, settings: Settings) -> None:
    settings.GRACE_SECONDS = 0
    client = browser()
    log_in(client, "sessions")
    loser = holding(cookie_of(client))
    assert post(client, "/api/sessions/refresh/").status_code == 200
    response = post(loser, "/api/sessions/refresh/")
    assert response.status_code == 401
    assert settings.SESSION_COOKIE_NAME not in response.cookies
    assert client.get("/api/sessions/whoami/").status_code == 200


def test_logout_deletes_the_cookie_as_it_was_set(ada: User) -> None:
    """R77: with other attributes a browser would keep it."""
    client = browser()
    log_in(client, "sessions")
    was_set = client.cookies[settings.SESSION_COOKIE_NAME]
    attributes = [was_set[name] for name in ("path", "domain", "secure", "samesite")]
    deleted = post(client, "/api/sessions/logout/").cookies[settings.SESSION_COOKIE_NAME]
    assert (deleted.value, deleted["max-age"]) == ("", 0)
    assert [deleted[name] for name in ("path", "domain", "secure", "samesite")] == attributes


def test_visitor_without_a_session_gets_none(redis: Any) -> None:
    """State grows only as logins grow: looking around costs nothing."""
    for path in ("/", "/sessions/login/", "/jwt/login/"):
        assert settings.SESSION_COOKIE_NAME not in browser().get(path).cookies
    assert redis.keys() == []


def test_saving_every_request_is_refused_by_name(settings: Settings) -> None:
    """Every visitor would get a session, and a late answer would replace another tab's cookie."""
    assert check_session_alias() == []
    settings.SESSION_SAVE_EVERY_REQUEST = True
    assert [found.id for found in check_session_alias()] == ["sessions_api.E006"]


def test_saving_every_request_does_not_pass_the_absolute_end(
    ada: User, start: Start, redis: Any, settings: Settings
) -> None:
    """R64."""
    settings.SESSION_SAVE_EVERY_REQUEST = True
    session = start(ada)
    redis.expire(key_of(session.session_key), 1000)
    response = holding(session.session_key).get("/")
    assert response.cookies[settings.SESSION_COOKIE_NAME]["max-age"] <= settings.ABSOLUTE_SECONDS
    assert redis.ttl(key_of(session.session_key)) <= 1000
