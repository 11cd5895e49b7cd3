"""Are the names and records of a session what the store takes them for? (R22, R66, R67)

Pure functions of `sessions_api.records`, and what one session weighs. What is done
with them in Redis stands in `test_store.py`.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings as site_settings
from pytest_django import Settings

from accounts.models import User, first_epoch
from accounts.snapshots import CHANGING, GONE, Snapshot
from sessions_api import store
from sessions_api.engine import SessionStore
from sessions_api.records import (
    ANONYMOUS,
    SESSION_ID,
    Record,
    decode,
    digest_of,
    ended_name,
    index_name,
    new_session_id,
    session_key_name,
    snapshot_name,
    successor_id,
    user_of,
)
from tests.accounts.racing import browser, log_in

pytestmark = pytest.mark.once

Start = Callable[..., SessionStore]

NOW = 1_800_000_000


def record(**changes: Any) -> Record:
    values: dict[str, Any] = {
        "device": "AAAAAAAAAAA",
        "created": NOW,
        "seen": NOW,
        "ip": "192.0.2.1",
        "agent": "Firefox on Linux",
        "data": {},
    }
    return Record(**values | changes)


# --- ids ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("user_id", [ANONYMOUS, 1, 7, 10**17], ids=str)
def test_new_id_is_well_formed_and_names_its_user(user_id: int) -> None:
    session_id = new_session_id(user_id)
    assert SESSION_ID.fullmatch(session_id)
    assert user_of(session_id) == user_id


def test_ids_are_drawn_from_256_bits() -> None:
    """R22 asks for 128."""
    ids = {new_session_id(1).partition(".")[2] for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(text) for text in ids} == {math.ceil(256 / 6)}
    assert len(set("".join(ids))) == 64, "every character of the alphabet comes up"


def test_successor_is_the_same_for_the_same_id() -> None:
    session_id = new_session_id(7)
    assert successor_id(session_id) == successor_id(session_id)


def test_successor_is_well_formed_and_of_the_same_user() -> None:
    session_id = successor_id(new_session_id(7))
    assert SESSION_ID.fullmatch(session_id)
    assert user_of(session_id) == 7


def test_successors_never_meet() -> None:
    session_id, chain = new_session_id(7), set()
    for _ in range(200):
        chain.add(session_id)
        session_id = successor_id(session_id)
    assert len(chain) == 200


def test_successor_cannot_be_computed_without_the_secret_key(settings: Settings) -> None:
    """Threat: whoever finds an old id in a log would compute today's."""
    session_id = new_session_id(7)
    ours = successor_id(session_id)
    settings.SECRET_KEY = "mallory's guess"
    assert successor_id(session_id) != ours


def test_successor_does_not_tell_its_predecessor_or_digest() -> None:
    session_id = new_session_id(7)
    successor = successor_id(session_id)
    assert digest_of(session_id) not in successor
    assert digest_of(successor) not in successor


def test_digest_does_not_tell_the_id() -> None:
    session_id = new_session_id(7)
    assert digest_of(session_id) == digest_of(session_id)
    assert digest_of(session_id) != digest_of(new_session_id(7))
    assert digest_of(session_id) not in session_id
    assert not SESSION_ID.fullmatch(f"7.{digest_of(session_id)}"), "nor is it taken for one"


def test_same_random_part_under_another_user_is_another_session() -> None:
    """The user's id is part of what is digested: it cannot be exchanged in a cookie."""
    random_part = new_session_id(7).partition(".")[2]
    assert digest_of(f"7.{random_part}") != digest_of(f"8.{random_part}")


def test_all_keys_of_a_user_carry_one_hash_tag() -> None:
    """A Cluster keeps them on one node, so that one MGET and one MULTI reach all of them."""
    names = [
        session_key_name(7, digest_of(new_session_id(7))),
        index_name(7),
        ended_name(7),
        snapshot_name(7),
    ]
    assert {name[name.index("{") : name.index("}") + 1] for name in names} == {"{7}"}
    assert len(set(names)) == 4


# --- records --------------------------------------------------------------------------------------


def test_record_survives_its_encoding_and_is_json() -> None:
    whole = record(data={"cart": [1, None, {"tea": "für zwei"}]}, rotated=True)
    encoded = whole.encode().encode()
    assert decode(encoded) == whole
    assert json.loads(encoded)[0] == whole.device


def test_data_that_json_cannot_hold_are_refused_when_written() -> None:
    with pytest.raises(TypeError):
        record(data={"user": object()}).encode()


@pytest.mark.parametrize(
    ("since_login", "kept"),
    [(0, 100), (850, 100), (900, 100), (950, 50), (1000, 0), (1100, -100)],
)
def test_idle_time_is_cut_at_the_absolute_end(
    since_login: int, kept: int, settings: Settings
) -> None:
    """R64: not past it, whatever is asked for."""
    settings.SESSION_COOKIE_AGE, settings.ABSOLUTE_SECONDS = 100, 1000
    assert record().idle_seconds(NOW + since_login) == kept


def test_lifetimes_are_read_when_they_are_needed(settings: Settings) -> None:
    kept = record()
    settings.ABSOLUTE_SECONDS = 60
    assert kept.absolute_end == NOW + 60


EPOCHS: dict[str, tuple[Any, int | None]] = {
    "as it should be": ("3.abcdef", 3),
    "zero": ("0.abcdef", 0),
    "missing": (None, None),
    "empty": ("", None),
    "Django's own hash": ("abcdef0123456789", None),
    "negative": ("-3.abcdef", None),
    "with a sign": ("+3.abcdef", None),
    "a fraction": ("3e1.abcdef", None),
    "with a space": (" 3.abcdef", None),
    "a number": (17, 17),
    "a list": ([3], None),
}


@pytest.mark.parametrize(("text", "epoch"), EPOCHS.values(), ids=EPOCHS.keys())
def test_epoch_is_read_from_the_head_of_the_hash(text: Any, epoch: int | None) -> None:
    """One that cannot be read equals no user's epoch, so that the session is refused."""
    assert record(data={"_auth_user_hash": text}).epoch == epoch


def test_epoch_of_a_login_is_the_users(ada: User, start: Start) -> None:
    kept = start(ada).record
    assert kept is not None
    assert kept.epoch == ada.epoch


SNAPSHOTS: dict[str, bytes | None] = {
    "nothing": None,
    "empty": b"",
    "a pickle": b"\x80\x04\x95",
    "not UTF-8": b"1 \xff",
    "changing": CHANGING,
    "null": b"null",
    "a list": b"[1, true, true, true]",
    "a member less": b'{"epoch": 1, "is_active": true, "is_staff": false}',
    "deeply nested": b"[" * 100_000,
    "no epoch": b"staff superuser",
    "a word more": b"1 staff admin",
    "two spaces": b"1  staff",
    "JSON": b'{"epoch": 1, "is_active": true, "is_staff": false, "is_superuser": true}',
    "a number of ten thousand digits": b"9" * 10_000,
}


@pytest.mark.parametrize("raw", SNAPSHOTS.values(), ids=SNAPSHOTS.keys())
def test_unreadable_snapshot_is_none(raw: bytes | None) -> None:
    """Then the row is read again."""
    assert Snapshot.decode(raw) is None


def of_epoch_3(**changes: bool) -> Snapshot:
    return replace(Snapshot(3, is_active=True, is_staff=False, is_superuser=False), **changes)


@pytest.mark.parametrize(
    ("snapshot", "text"),
    [
        (of_epoch_3(), "3"),
        (of_epoch_3(is_staff=True), "3 staff"),
        (of_epoch_3(is_superuser=True), "3 superuser"),
        (of_epoch_3(is_active=False, is_staff=True), "3 inactive staff"),
        (GONE, "0 inactive"),
    ],
)
def test_snapshot_survives_its_encoding(snapshot: Snapshot, text: str) -> None:
    assert snapshot.encode() == text
    assert Snapshot.decode(text.encode()) == snapshot


def test_gone_user_is_nobody() -> None:
    """No session names epoch 0: users begin with the time. And inactive it is, too."""
    assert not GONE.is_active
    assert first_epoch() > GONE.epoch


# --- why an id is not accepted --------------------------------------------------------------------


def test_reason_says_what_the_client_can_do_next(ada: User, start: Start, redis: Any) -> None:
    ended, lapsed = start(ada), start(ada)
    ids = [ended.session_key or "", lapsed.session_key or "", new_session_id(ada.pk)]
    ended.flush()
    redis.delete(session_key_name(ada.pk, digest_of(ids[1])))
    redis.zadd(index_name(ada.pk), {digest_of(ids[1]): int(time.time())})
    assert [store.why_gone(session_id).default_code for session_id in ids] == [
        "credential_revoked",
        "credential_expired",
        "credential_invalid",
    ]


def test_reason_is_forgotten_after_a_day(ada: User, start: Start, redis: Any) -> None:
    start(ada).flush()
    assert 0 < redis.ttl(ended_name(ada.pk)) <= store.REMEMBER_ENDED_SECONDS


# --- weight ---------------------------------------------------------------------------------------

# Measured on Redis 6.2: 185 bytes for an ordinary record and 32 to 38 for its share of the index
# (`test_store.py` holds it to 280); 266 and 32 at its longest. A user's first login costs 105 bytes
# for the index itself, and 64 for the snapshot, once.
MOST_BYTES = 360
MOST_BYTES_OF_THE_ONLY_LOGIN = 400


@pytest.mark.django_db
def test_the_only_login_of_a_user_weighs_little_with_all_that_belongs_to_it(redis: Any) -> None:
    """The lightest of some: where memory was freed before, an allocator may hand out more than was
    asked for (glibc's up to 16 bytes for each of a key's parts), and Redis counts what it got.
    """
    weights = {pk: weight_of_login(redis, pk) for pk in range(12_345, 12_355)}
    assert min(weights.values()) <= MOST_BYTES_OF_THE_ONLY_LOGIN, weights


def weight_of_login(redis: Any, pk: int) -> int:
    """What a user's first login adds to Redis, in bytes.

    Without the counters of attempts, which end by themselves.
    """
    name = f"user-{pk}"
    User.objects.create_user(name, password=f"{name}-demo-password", pk=pk)
    client = browser()
    client.defaults.update(
        HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Firefox/143.0"
    )
    log_in(client, "sessions", name)
    held = redis.keys(f"*{{{pk}}}*")
    assert {name.partition(b":")[0] for name in held} == {b"session", b"sessions", b"user"}
    return sum(redis.memory_usage(name) for name in held)


@pytest.mark.django_db
def test_one_session_weighs_little_even_at_its_longest(redis: Any) -> None:
    """All told: the record with the longest address and agent, and its share of the index.

    A user id of nine digits; through HTTP, so that nothing is left out.
    """
    User.objects.create_user("ada", "ada@example.org", "ada-demo-password", pk=123_456_789)
    client = browser()
    client.defaults.update(
        REMOTE_ADDR="2001:db8:1111:2222:3333:4444:5555:6666", HTTP_USER_AGENT="x" * 200
    )
    for _ in range(store.MOST_DEVICES):
        client.cookies.clear()
        log_in(client, "sessions")
    keys = redis.keys("session:*")
    assert len(keys) == store.MOST_DEVICES
    records = sum(redis.memory_usage(key) for key in keys) / len(keys)
    index = redis.memory_usage(index_name(123_456_789)) / len(keys)
    assert records + index <= MOST_BYTES, f"{records} + {index}"
    assert max(redis.strlen(key) for key in keys) < 4096, "R66"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "agent", "size"),
    [
        ("192.0.2.1", "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko Firefox/143.0", 97),
        ("2001:db8:1111:2222:3333:4444:5555:6666", "x" * 200, 150),
    ],
    ids=["ordinary", "longest"],
)
def test_a_record_has_so_many_bytes(redis: Any, address: str, agent: str, size: int) -> None:
    """What it adds to in memory, above, is an affair of Redis and of its version."""
    User.objects.create_user("ada", password="ada-demo-password", pk=7, epoch=60_000_000)
    client = browser()
    client.defaults.update(REMOTE_ADDR=address, HTTP_USER_AGENT=agent)
    log_in(client, "sessions")
    (name,) = redis.keys("session:*")
    assert redis.strlen(name) == size


@pytest.mark.django_db
def test_many_refreshes_weigh_no_more_than_one(ada: User, redis: Any, settings: Settings) -> None:
    """One device is one record, beside its predecessors of the last ten seconds."""
    settings.GRACE_SECONDS = 0
    client = browser()
    log_in(client, "sessions")
    session_id = client.cookies[site_settings.SESSION_COOKIE_NAME].value
    for _ in range(20):
        session_id, _ = store.rotate(session_id)
    assert len(redis.keys("session:*")) == 1
    assert redis.zcard(index_name(ada.pk)) == 1
