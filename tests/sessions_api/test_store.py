"""What stands in Redis, for how long, and what can be done with it? (R64, R66, R67, fact 9)"""

import json
import pickle
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings as live_settings
from django.test import Client
from pytest_django import Settings

from accounts.contract.errors import ContractError
from accounts.models import User
from sessions_api import store
from sessions_api.engine import SessionStore
from sessions_api.records import (
    Record,
    decode,
    digest_of,
    ended_name,
    index_name,
    new_session_id,
    session_key_name,
    snapshot_name,
)
from tests.accounts.racing import browser, log_in, post

pytestmark = pytest.mark.once

Start = Callable[..., SessionStore]


def session_id_of(client: Client) -> str:
    return client.cookies[live_settings.SESSION_COOKIE_NAME].value


def holder_of(session_id: str) -> Client:
    return browser(**{live_settings.SESSION_COOKIE_NAME: session_id})


def whoami(session_id: str) -> Any:
    return holder_of(session_id).get("/api/sessions/whoami/")


def key_of(session_id: str) -> str:
    return session_key_name(int(session_id.partition(".")[0]), digest_of(session_id))


def everything_in(redis: Any) -> str:
    """All keys and all values, as one text."""
    readers = {
        b"string": redis.get,
        b"zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
        b"hash": redis.hgetall,
        b"set": redis.smembers,
        b"list": lambda key: redis.lrange(key, 0, -1),
    }
    return " ".join(f"{key} {readers[redis.type(key)](key)}" for key in redis.keys("*"))


# --- secrets ----------------------------------------------------------------------------------


def test_no_session_id_stands_in_redis(ada: User, redis: Any) -> None:
    """R67, A45: who lists the keys, or dumps the values, can log in as nobody."""
    client = browser()
    log_in(client, "sessions")
    ids = [session_id_of(client)]
    for _ in range(3):
        assert post(client, "/api/sessions/refresh/").status_code == 200
        ids.append(session_id_of(client))
    held = everything_in(redis)
    assert key_of(ids[-1]) in held, "the digest is there"
    for session_id in ids:
        assert session_id not in held
        assert session_id.partition(".")[2] not in held
    assert re.search(r"\bada\b", held) is None, "nor who it is"
    assert "password" not in held


def test_digest_used_as_an_id_opens_nothing(ada: User, start: Start) -> None:
    """A45: what a key listing shows, shown as a cookie."""
    session_id = start(ada).session_key or ""
    for text in (digest_of(session_id), f"{ada.pk}.{digest_of(session_id)}", key_of(session_id)):
        assert whoami(text).status_code == 401


class Crafted:
    """A pickle that is a program."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.write_text, (self.path, "code ran"))


DEEP = b'["x",1,0,"","",null,null,{"data":' + b"[" * 20000 + b"]" * 20000 + b"}]"
GOOD = ["x", 1, 0, "", "", None, None]
GARBAGE: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"\x80\x04\x95",
    "not UTF-8": b'["\xff"]',
    "null": b"null",
    "list": b"[]",
    "number": b"17",
    "object": b'{"a": 1}',
    "another member in the object": json.dumps([*GOOD, {"is_admin": True}]).encode(),
    "data is a list": json.dumps([*GOOD, {"data": []}]).encode(),
    "times are text": json.dumps(["x", "1", "1", *GOOD[3:]]).encode(),
    "deep": DEEP,
    "NaN": b'["x",NaN,0,"","",null,null]',
}


@pytest.mark.parametrize("row", GARBAGE)
def test_garbage_under_a_session_key_is_a_401(
    ada: User, start: Start, redis: Any, row: str
) -> None:
    session_id = start(ada).session_key or ""
    redis.set(key_of(session_id), GARBAGE[row], ex=60)
    for call in ("whoami", "me", "devices"):
        assert holder_of(session_id).get(f"/api/sessions/{call}/").status_code == 401
    assert post(holder_of(session_id), "/api/sessions/refresh/").status_code == 401
    assert post(holder_of(session_id), "/api/sessions/logout/").status_code == 204
    assert holder_of(session_id).get("/sessions/profile/").status_code == 302
    assert redis.get(key_of(session_id)) in (None, GARBAGE[row]), "and it was not adopted"


def test_pickle_under_a_session_key_is_not_run(
    ada: User, start: Start, redis: Any, tmp_path: Path
) -> None:
    """A44: who can write to Redis must not run code in the web server."""
    session_id = start(ada).session_key or ""
    redis.set(key_of(session_id), pickle.dumps(Crafted(tmp_path / "proof")), ex=60)
    redis.set(snapshot_name(ada.pk), pickle.dumps(Crafted(tmp_path / "proof")), ex=60)
    assert whoami(session_id).status_code == 401
    log_in(browser(), "sessions")
    assert not (tmp_path / "proof").exists()
    pickle.loads(pickle.dumps(Crafted(tmp_path / "proof")))
    assert (tmp_path / "proof").exists(), "the pickle would have run"


# A number is an epoch, and another one than the session's.
@pytest.mark.parametrize("row", sorted(GARBAGE.keys() - {"number"}))
def test_garbage_in_the_place_of_a_snapshot_is_read_anew(
    ada: User, start: Start, redis: Any, row: str
) -> None:
    session_id = start(ada).session_key or ""
    redis.set(snapshot_name(ada.pk), GARBAGE[row], ex=60)
    assert whoami(session_id).status_code == 200


def test_keys_of_another_kind_are_no_5xx_but_503(ada: User, start: Start, redis: Any) -> None:
    session_id = start(ada).session_key or ""
    redis.delete(index_name(ada.pk))
    redis.set(index_name(ada.pk), "not a sorted set")
    answer = holder_of(session_id).get("/api/sessions/devices/")
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")


# --- lifetimes --------------------------------------------------------------------------------


def test_record_ends_with_the_idle_time(ada: User, start: Start, redis: Any) -> None:
    """R64: the TTL is the idle time, in Redis, where no process can forget it."""
    session_id = start(ada).session_key or ""
    idle = live_settings.SESSION_COOKIE_AGE
    assert idle - 5 < redis.ttl(key_of(session_id)) <= idle


def test_idle_time_near_the_absolute_end_is_cut_there(
    ada: User, start: Start, redis: Any, settings: Settings
) -> None:
    settings.ABSOLUTE_SECONDS = 60
    session_id = start(ada).session_key or ""
    assert 0 < redis.ttl(key_of(session_id)) <= 60


def test_session_that_redis_dropped_is_expired(ada: User, start: Start, redis: Any) -> None:
    session_id = start(ada).session_key or ""
    redis.pexpireat(key_of(session_id), int(time.time() * 1000) - 1)
    redis.zadd(index_name(ada.pk), {digest_of(session_id): int(time.time())})
    answer = whoami(session_id)
    assert (answer.status_code, answer.json()["code"]) == (401, "credential_expired")


def test_idle_time_really_passes(ada: User, settings: Settings) -> None:
    """With a real clock: frozen time does not reach Redis."""
    settings.SESSION_COOKIE_AGE = 3
    client = browser()
    log_in(client, "sessions")
    assert client.get("/api/sessions/whoami/").status_code == 200
    time.sleep(3.3)
    assert client.get("/api/sessions/whoami/").json()["code"] == "credential_expired"


def test_use_starts_the_idle_time_again(ada: User, start: Start, redis: Any) -> None:
    session_id = start(ada).session_key or ""
    redis.expire(key_of(session_id), 100)
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=61), tick=True):
        assert whoami(session_id).status_code == 200
    assert redis.ttl(key_of(session_id)) > live_settings.SESSION_COOKIE_AGE - 5
    score = redis.zscore(index_name(ada.pk), digest_of(session_id))
    assert score >= time.time() + live_settings.SESSION_COOKIE_AGE


def test_use_within_the_minute_costs_no_write(ada: User, start: Start, redis: Any) -> None:
    session_id = start(ada).session_key or ""
    redis.expire(key_of(session_id), 100)
    assert whoami(session_id).status_code == 200
    assert redis.ttl(key_of(session_id)) <= 100


def test_use_never_passes_the_absolute_end(
    ada: User, start: Start, redis: Any, settings: Settings
) -> None:
    """R64, R41: refresh and use every minute, and it is over all the same."""
    settings.ABSOLUTE_SECONDS = 1000
    client = browser()
    log_in(client, "sessions")
    began = datetime.now(UTC)
    ttls = []
    for seconds in range(100, 1000, 100):
        with time_machine.travel(began + timedelta(seconds=seconds), tick=True):
            assert client.get("/api/sessions/whoami/").status_code == 200
            assert post(client, "/api/sessions/refresh/").status_code == 200
            ttls.append(redis.ttl(key_of(session_id_of(client))) + seconds)
    assert max(ttls) <= 1000
    with time_machine.travel(began + timedelta(seconds=1001), tick=True):
        for answer in (
            client.get("/api/sessions/whoami/"),
            post(client, "/api/sessions/refresh/"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (401, "credential_expired")


def test_write_does_not_lengthen_the_life(ada: User, start: Start, redis: Any) -> None:
    session_id = start(ada).session_key or ""
    redis.expire(key_of(session_id), 100)
    session = SessionStore(session_id)
    session["note"] = "written"
    session.save()
    assert redis.ttl(key_of(session_id)) <= 100


def test_every_key_has_an_end(ada: User, redis: Any) -> None:
    """Invariant 11: what no device needs goes by itself."""
    client = browser()
    log_in(client, "sessions")
    post(client, "/api/sessions/refresh/")
    post(client, "/api/sessions/logout/")
    log_in(client, "sessions")
    assert len(redis.keys("*")) >= 4
    assert [key for key in redis.keys("*") if redis.ttl(key) < 0] == []


# --- rotation ---------------------------------------------------------------------------------


def test_predecessor_is_answered_within_the_grace_only(
    ada: User, start: Start, redis: Any, settings: Settings
) -> None:
    settings.GRACE_SECONDS = 3
    first = start(ada).session_key or ""
    second, _ = store.rotate(first)
    assert (whoami(first).status_code, whoami(second).status_code) == (200, 200)
    time.sleep(3.2)
    assert (whoami(first).status_code, whoami(second).status_code) == (401, 200)
    assert whoami(first).json()["code"] == "credential_revoked"


def test_predecessor_is_not_extended_by_use_or_write(ada: User, start: Start, redis: Any) -> None:
    first = start(ada).session_key or ""
    store.rotate(first)
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=120), tick=True):
        assert whoami(first).status_code == 200, "Redis does not know of the travel"
        session = SessionStore(first)
        session["note"] = "late"
        session.save()
    assert 0 < redis.ttl(key_of(first)) <= live_settings.GRACE_SECONDS


def test_predecessor_refreshed_again_gets_the_same_successor(ada: User, start: Start) -> None:
    first = start(ada).session_key or ""
    assert store.rotate(first)[0] == store.rotate(first)[0]
    assert len(store.live_records(ada.pk)) == 1


def test_id_two_refreshes_old_is_refused_within_the_grace(ada: User, start: Start) -> None:
    first = start(ada).session_key or ""
    second, _ = store.rotate(first)
    third, _ = store.rotate(second)
    with pytest.raises(ContractError) as refused:
        store.rotate(first)
    assert refused.value.default_code == "credential_revoked"
    assert whoami(third).status_code == 200, "and the login goes on"


def test_predecessor_whose_successor_was_ended_does_not_bring_it_back(
    ada: User, start: Start, redis: Any
) -> None:
    first = start(ada).session_key or ""
    second, _ = store.rotate(first)
    redis.delete(key_of(second))
    with pytest.raises(ContractError) as refused:
        store.rotate(first)
    assert refused.value.default_code == "credential_revoked"


@pytest.mark.parametrize("presented", [0, 1], ids=["predecessor", "successor"])
def test_logout_with_either_id_ends_both(
    ada: User, start: Start, redis: Any, presented: int
) -> None:
    """A31: a logout within the grace must not leave the predecessor open."""
    first = start(ada).session_key or ""
    ids = [first, store.rotate(first)[0]]
    assert post(holder_of(ids[presented]), "/api/sessions/logout/").status_code == 204
    assert [whoami(session_id).status_code for session_id in ids] == [401, 401]
    assert redis.keys("session:*") == []


def test_without_grace_the_predecessor_is_gone_at_once(
    ada: User, start: Start, settings: Settings
) -> None:
    settings.GRACE_SECONDS = 0
    first = start(ada).session_key or ""
    second, _ = store.rotate(first)
    assert (whoami(first).status_code, whoami(second).status_code) == (401, 200)


def test_planted_successor_is_not_taken_over(
    ada: User, start: Start, redis: Any, mallory: User
) -> None:
    """Somebody else's record under the name of the successor: nobody's session continues there."""
    first = start(ada).session_key or ""
    second, _ = store.rotate(first)
    assert whoami(second).json()["id"] == ada.pk


# --- bounds -----------------------------------------------------------------------------------


def test_most_devices_are_kept_and_the_longest_unused_goes(
    ada: User, start: Start, redis: Any
) -> None:
    now = datetime.now(UTC)
    ids = []
    for number in range(store.MOST_DEVICES + 5):
        with time_machine.travel(now + timedelta(seconds=number), tick=False):
            ids.append(start(ada).session_key or "")
    assert len(redis.keys("session:*")) == store.MOST_DEVICES
    assert redis.zcard(index_name(ada.pk)) == store.MOST_DEVICES
    assert [whoami(session_id).status_code for session_id in ids[:5]] == [401] * 5
    assert whoami(ids[0]).json()["code"] == "credential_revoked"
    assert whoami(ids[-1]).status_code == 200


def test_another_tab_keeps_its_grace_however_many_devices_there_are(
    ada: User, start: Start, redis: Any
) -> None:
    """The predecessor has the least time left of all, and is not the device to drop."""
    ids = [start(ada).session_key or "" for _ in range(store.MOST_DEVICES)]
    successor, _ = store.rotate(ids[-1])
    assert store.rotate(ids[-1])[0] == successor
    assert [whoami(session_id).status_code for session_id in ids] == [200] * store.MOST_DEVICES


def test_refreshing_all_day_does_not_make_the_index_grow(
    ada: User, start: Start, redis: Any
) -> None:
    long_over = time.time() - 60
    redis.zadd(index_name(ada.pk), {f"old-{number}": long_over for number in range(500)})
    session_id = start(ada).session_key or ""
    assert redis.zcard(index_name(ada.pk)) == store.MOST_EXPIRED + 1
    assert whoami(session_id).status_code == 200


def test_list_of_ended_sessions_is_bounded(ada: User, start: Start, redis: Any) -> None:
    for _ in range(2 * store.MOST_DEVICES + 20):
        start(ada).flush()
    assert redis.zcard(ended_name(ada.pk)) <= 2 * store.MOST_DEVICES


def test_entries_that_expired_long_ago_are_cleaned_at_login(
    ada: User, start: Start, redis: Any
) -> None:
    long_ago = time.time() - store.REMEMBER_ENDED_SECONDS - 1
    redis.zadd(index_name(ada.pk), {f"gone-{number}": long_ago for number in range(500)})
    start(ada)
    assert redis.zcard(index_name(ada.pk)) == 1


def test_session_costs_few_bytes(
    ada: User, start: Start, redis: Any, record_property: Callable[[str, object], None]
) -> None:
    """What one login costs in Redis: its record and its share of the index."""
    ids = [start(ada).session_key or "" for _ in range(20)]
    records = sum(redis.memory_usage(key_of(session_id)) for session_id in ids) / 20
    index = redis.memory_usage(index_name(ada.pk)) / 20
    as_json = len(redis.get(key_of(ids[0])))
    record_property("bytes of JSON", as_json)
    record_property("bytes in Redis, record and share of the index", records + index)
    assert as_json <= 128
    assert records + index <= 280, f"{records} + {index}"


def test_record_holds_no_more_than_it_must(ada: User, start: Start, redis: Any) -> None:
    """R66: no token, no password material (the session hash is a MAC over the epoch, keyed)."""
    session_id = start(ada).session_key or ""
    record = redis.get(key_of(session_id)).decode()
    # A device that stays where it logged in has no history, and Django's keys have no names.
    assert len(json.loads(record)) == len(GOOD)
    assert ada.password not in record


def test_decode_reads_what_encode_wrote() -> None:
    record = Record("device", 1, 2, "127.0.0.1", "Firefox", {"a": [1, "b"]}, rotated=True)
    assert decode(record.encode().encode()) == record


def test_two_users_never_share_a_key(ada: User, mallory: User, start: Start, redis: Any) -> None:
    """The hash tag keeps one user's keys together in a Cluster; it must name one user only."""
    for user in (ada, mallory):
        start(user)
        store.refresh_snapshot(user.pk)
    tags = {ada.pk: 0, mallory.pk: 0}
    for key in redis.keys("*"):
        tags[int(key.decode().split("{")[1].split("}")[0])] += 1
    assert set(tags.values()) == {3}


def test_unknown_user_in_an_id_costs_no_key(redis: Any, db: None) -> None:
    assert whoami(new_session_id(999999999999999999)).status_code == 401
    assert redis.keys("*") == []
