"""What must the server remember for a session, and for how long?

Everything, in Redis. The client holds an opaque id; all it means stands here.
`sessions_api.engine` puts Django's `request.session` on top. Its twin is
`jwt_api.store`.

Redis keys; `{7}` is the user's id, and the hash tag that keeps one user's keys on
one node of a Cluster, so that one MGET and one script can reach all of them:

    session:{7}:<digest of the id>   string   the record, a JSON list; its TTL is the idle time
    sessions:{7}                     zset     digest -> Unix time of the idle end
    ended:{7}                        zset     digest -> Unix time when it was ended
    user:{7}                         string   what requests need of the user's row, in words

The session id itself stands nowhere: a listing of the keys opens nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any, TypeAlias

from django.conf import settings
from redis.exceptions import RedisError, ResponseError

from accounts.auth_redis import Redis, auth_redis
from accounts.contract.checking import check
from accounts.contract.errors import (
    ContractError,
    CredentialExpired,
    CredentialInvalid,
    CredentialRevoked,
    StoreUnavailable,
)
from accounts.contract.flow import Remembered
from accounts.if_unchanged import execute_if_unchanged
from accounts.mirror import Copies, InThisProcess
from accounts.snapshots import CHANGING, Snapshot, copy_row, row_of
from sessions_api.records import (
    ANONYMOUS,
    Record,
    decode,
    digest_of,
    ended_name,
    index_name,
    names_read_for,
    session_key_name,
    snapshot_name,
    successor_id,
    user_of,
)

logger = logging.getLogger("authdemo.sessions")

Pipeline: TypeAlias = Any  # as `Redis`

MOST_DEVICES = 50
SNAPSHOT_SECONDS = 300
REMEMBER_ENDED_SECONDS = 86400
MOST_SUCCESSORS = 32
MOST_EXPIRED = 50  # entries of the index that only tell "expired" from "never known"
MOST_TRIMMED = 1000
MOST_MIRRORED = 100_000

mirror = InThisProcess(Copies, "session:", "user:", most=MOST_MIRRORED)
"""What `SESSION_CHECK=push` reads. Whatever this process writes it forgets there at once: other
processes hear of it within a millisecond, and nobody's own next request comes too early.
"""


def redis() -> Redis:
    """The connection of the session alias; bounded timeouts, no swallowed errors."""
    return auth_redis()


class store_errors(AbstractContextManager[None]):  # noqa: N801  # read as a function is
    """Say 503 when Redis does not answer.

    Threat: Django's own cache engine takes a failed read for an empty session. A Redis
    that stalls for a second then logs everybody out, and a logout "succeeds" that ended nothing.
    """

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, RedisError):
            raise StoreUnavailable(f"redis: {type(error).__name__}") from error


# --- the snapshot of a user ------------------------------------------------------------------


def read_snapshot(raw: bytes | None, user_id: int) -> Snapshot:
    """What Redis said, or the row, where Redis knows nothing that may be trusted."""
    return Snapshot.decode(raw) or refresh_snapshot(user_id)


def snapshot_of_row(user_id: int, known: Snapshot | None) -> Snapshot:
    """The row as it is now; copied to Redis where what is `known` from there says otherwise."""
    row = row_of(user_id)
    return row if row == known else refresh_snapshot(user_id)


def refresh_snapshot(user_id: int, *, committed: bool = False) -> Snapshot:
    """Read the user's row, copy it to Redis, and return it.

    The TTL bounds what a change behind Django's back (plain SQL) can leave stale, and what is
    left when two changes of one row overlap and Redis dies before the second one gets here.
    """
    name = snapshot_name(user_id)
    with store_errors():
        snapshot = copy_row(redis(), name, user_id, seconds=SNAPSHOT_SECONDS, committed=committed)
    mirror.forget([name])
    return snapshot


def distrust_snapshot(user_id: int) -> None:
    """Have every request read the row itself from now on, until `refresh_snapshot` copies it anew.

    Called inside the transaction that changes the row. If Redis dies between here and the
    commit, or the transaction is rolled back, requests are slower for a while, and right.
    """
    name = snapshot_name(user_id)
    with store_errors():
        redis().set(name, CHANGING, ex=SNAPSHOT_SECONDS)
    mirror.forget([name])


# --- what can be done to a session ----------------------------------------------------------


def read(
    session_id: str, check: str | None = None
) -> tuple[bytes | None, Record | None, Snapshot | None]:
    """The record as it stands, decoded, and the snapshot of its user.

    One Redis read; none with the `check` "push", where this process knows both. By default the
    check is what SESSION_CHECK says.
    """
    user_id, names = user_of(session_id), names_read_for(session_id)
    with store_errors():
        client = redis()
        is_pushed = (check or settings.SESSION_CHECK) == "push"
        raw, user = mirror.of(client).get(names) if is_pushed else client.mget(names)
    record = decode(raw) if raw is not None else None
    if record is None or user_id == ANONYMOUS:
        return raw, record, None
    return raw, record, read_snapshot(user, user_id)


def write_new(session_id: str, record: Record) -> bool:
    """Store a new session and list it for its user; False if the id is taken."""
    user_id, digest = user_of(session_id), digest_of(session_id)
    with store_errors():
        client = redis()
        pipe = client.pipeline()
        _put(pipe, user_id, digest, record)
        created, answers = execute_if_unchanged(
            client, pipe, {session_key_name(user_id, digest): None}
        )
    if created and user_id != ANONYMOUS:
        _trim_index(user_id, listed=answers[-1], most=MOST_DEVICES)
    return created


def replace(old_id: str, session_id: str, record: Record) -> bool:
    """Store a session in the place of the one that it continues, which ends by it.

    Threat: Django gives a session another id (`cycle_key`) and writes it when the answer goes out.
    A logout in between has ended the old one, and must have ended this one as well: False then, and
    where the old one was refreshed or replaced meanwhile.
    """
    user_id, digests = user_of(session_id), (digest_of(old_id), digest_of(session_id))
    names = [session_key_name(user_id, digest) for digest in digests]
    with store_errors():
        client, replaced = redis(), False
        held = client.mget(names)
        while not replaced:
            old = decode(held[0]) if held[0] is not None else None
            if old is None or old.rotated or held[1] is not None:
                return False
            device = old.device
            pipe = client.pipeline()
            pipe.delete(names[0])
            if user_id != ANONYMOUS:
                pipe.zrem(index_name(user_id), digests[0])
                _note_ended(pipe, user_id, digests[0], int(time.time()))
            _put(pipe, user_id, digests[1], record)
            both = dict(zip(names, held, strict=True))
            replaced, held = execute_if_unchanged(client, pipe, both)
    mirror.forget(names[:1])
    if user_id != ANONYMOUS:
        end_sessions(user_id, device)  # a predecessor of it may be in its grace
        _trim_index(user_id, listed=held[-1], most=MOST_DEVICES)
    return True


def write_data(session_id: str, data: dict[str, Any]) -> bool:
    """Replace the data of a session that exists; False if it is gone.

    Threat: a request that was under way while its user logged out must not write the
    session back. It is written only where the record still is, KEEPTTL never lengthens its life,
    and all but `data` is kept as it stands in Redis now, not as this request once read it.
    """
    name = session_key_name(user_of(session_id), digest_of(session_id))
    written = False
    with store_errors():
        client = redis()
        raw = client.get(name)
        while not written and raw is not None and (record := decode(raw)) is not None:
            record.data = data
            pipe = client.pipeline()
            pipe.set(name, record.encode(), xx=True, keepttl=True)
            written, answers = execute_if_unchanged(client, pipe, {name: raw})
            raw = answers[0]
    mirror.forget([name])
    return written


def touch(session_id: str, raw: bytes, record: Record) -> bool:
    """Note that the session was used: the idle time starts again, the absolute end stays.

    Only if the record still is what this request read; otherwise somebody else has
    written, rotated or ended it meanwhile, and that counts. Says whether it was noted.
    """
    user_id, digest = user_of(session_id), digest_of(session_id)
    # A clock that is behind brings the absolute end no later.
    now = max(int(time.time()), record.seen)
    name = session_key_name(user_id, digest)
    record.seen = now
    idle = record.idle_seconds(now)
    with store_errors():
        client = redis()
        pipe = client.pipeline()
        pipe.set(name, record.encode(), xx=True, ex=max(1, idle))
        if user_id != ANONYMOUS:
            # Not only if it is listed: an index that Redis has evicted is made again by use.
            _list(pipe, user_id, digest, now + idle)
        try:
            touched, _ = execute_if_unchanged(client, pipe, {name: raw})
        except ResponseError as error:
            # A Redis that is full, or a replica, still reads. Noting the use can wait until the
            # next request; refusing this one would log out everybody who was read correctly.
            logger.warning("last use not noted: %s", error)
            return False
    mirror.forget([name])
    return touched


@check("rotation", "It is the current one of its login, and is used up by this.")
def rotate(session_id: str, raw: bytes | None = None) -> tuple[str, Record]:
    """Give the session its next id and return both; the old id lives on for the grace interval.

    `raw` is the record as the caller has read it; one that was rotated since is noticed.
    Raises `CredentialRevoked` and `CredentialExpired`. Idempotent within the grace:
    a second tab with the same old id gets the same new one.
    """
    user_id, digest, now = user_of(session_id), digest_of(session_id), int(time.time())
    next_id = successor_id(session_id)
    next_digest = digest_of(next_id)
    names = [session_key_name(user_id, each) for each in (digest, next_digest)]
    with store_errors():
        client, rotated = redis(), False
        known = decode(raw) if raw is not None else None
        # Of what was current when it was read, the next id is not there yet.
        is_current = known is not None and not known.rotated
        held: list[Any] = [raw, None] if is_current else client.mget(names)
        while not rotated:
            record, has_successor = _last_of(session_id, *held)
            if has_successor:
                return next_id, record
            record.seen = now
            pipe = client.pipeline()
            _retire(pipe, user_id, digest, record, now)
            _put(pipe, user_id, next_digest, record)
            # A logout deletes what is compared, and this starts over; this writes to the index, and
            # a logout that has looked for the device's sessions there looks again (`end_sessions`).
            read = dict(zip(names, held, strict=True))
            rotated, held = execute_if_unchanged(client, pipe, read)
    mirror.forget(names[:1])
    _trim_index(user_id, listed=held[-1], most=MOST_DEVICES + MOST_EXPIRED)
    return next_id, record


def _last_of(session_id: str, raw: bytes | None, next_raw: bytes | None) -> tuple[Record, bool]:
    """The record that a refresh of the id goes on with, and whether that is its successor's."""
    if raw is None:
        raise why_gone(session_id)
    record = decode(raw)
    if record is None:
        raise CredentialInvalid("unreadable record")
    if next_raw is not None:
        successor = decode(next_raw)
        if successor is None or successor.rotated:
            raise CredentialRevoked("session id two refreshes old")
        return successor, True
    if record.rotated:
        raise CredentialRevoked("successor was ended")
    return record, False


def end_sessions(
    user_id: int,
    device: str | None = None,
    *,
    keep_epoch: int | None = None,
    also: Sequence[str] = (),
) -> int:
    """End a user's sessions and return how many there were.

    All of them, or those of one device, or all but those of the epoch `keep_epoch`. They are found
    by the user's index; digests that are known otherwise come as `also`, for a Redis that evicts
    may have lost the index.
    """
    index = index_name(user_id)

    def drop(pipe: Pipeline) -> list[str]:
        now = int(time.time())
        listed = [digest.decode() for digest in pipe.zrange(index, 0, -1)]
        digests = list(dict.fromkeys([*listed, *also]))
        names = [session_key_name(user_id, digest) for digest in digests]
        records = [decode(raw) if raw else None for raw in (pipe.mget(names) if names else [])]
        found = [
            digest
            for digest, record in zip(digests, records, strict=True)
            if record is not None
            and device in (None, record.device)
            and (keep_epoch is None or record.epoch != keep_epoch)
        ]
        pipe.multi()
        for digest in found:
            pipe.delete(session_key_name(user_id, digest))
            pipe.zrem(index, digest)
            _note_ended(pipe, user_id, digest, now)
        return found

    with store_errors():
        ended = redis().transaction(drop, index, value_from_callable=True)
    mirror.forget(session_key_name(user_id, digest) for digest in ended)
    return len(ended)


def end_session(session_id: str) -> None:
    """End the device that an id belongs to, whichever id it has by now: it may have been
    refreshed away since the caller looked, in another tab, or by a thief.
    """
    user_id, lineage = user_of(session_id), lineage_of(session_id)
    names = [session_key_name(user_id, digest) for digest in lineage]
    with store_errors():
        if user_id == ANONYMOUS:
            redis().delete(names[0])
            mirror.forget(names)
            return
        raws = redis().mget(names)
    records = [decode(raw) for raw in raws if raw]
    for device in {record.device for record in records if record is not None}:
        end_sessions(user_id, device, also=lineage)


def lineage_of(session_id: str) -> list[str]:
    """The digests of an id and of those that refreshes of it lead to, one after the other."""
    ids = [session_id]
    while len(ids) <= MOST_SUCCESSORS:
        ids.append(successor_id(ids[-1]))
    return [digest_of(each) for each in ids]


def live_records(user_id: int) -> list[tuple[str, Record]]:
    """Digest and record of each live session of a user; those of an older epoch are dead."""
    with store_errors():
        now = time.time()
        client = redis()
        digests = [d.decode() for d in client.zrangebyscore(index_name(user_id), now, "+inf")]
        if not digests:
            return []
        names = [session_key_name(user_id, digest) for digest in digests]
        *raws, user = client.mget([*names, snapshot_name(user_id)])
    snapshot = read_snapshot(user, user_id)
    records = [(d, decode(raw)) for d, raw in zip(digests, raws, strict=True) if raw]
    return [
        (digest, record)
        for digest, record in records
        if record is not None
        and not record.rotated
        and record.epoch == snapshot.epoch
        and record.absolute_end > now
    ]


def remembered(user_id: int) -> list[Remembered]:
    """Every key that Redis holds for a user, with what it says in words."""
    with store_errors():
        client = redis()
        digests = [digest.decode() for digest in client.zrange(index_name(user_id), 0, -1)]
        names = [session_key_name(user_id, digest) for digest in digests]
        lists = [snapshot_name(user_id), index_name(user_id), ended_name(user_id)]
        pipe = client.pipeline(transaction=False)
        for name in names:
            pipe.get(name)
        pipe.get(lists[0])
        pipe.zcard(lists[1])
        pipe.zcard(lists[2])
        for name in names + lists:
            pipe.ttl(name)
        answers = pipe.execute()
    values, seconds = answers[: len(names) + 3], answers[len(names) + 3 :]
    texts = [_in_words(raw) for raw in values[:-3]]
    texts += [(values[-3] or b"").decode(), f"{values[-2]} session(s)", f"{values[-1]} ended"]
    return [
        Remembered(where="Redis", name=name, value=text, expires_in=left)
        for name, text, left in zip(names + lists, texts, seconds, strict=True)
        if left > 0
    ]


def _in_words(raw: bytes | None) -> str:
    record = decode(raw) if raw else None
    if record is None:
        return "gone"
    kind = "predecessor, in its grace" if record.rotated else "session"
    return f"{kind} of device {record.device}, epoch {record.epoch}, {record.agent}, {record.ip}"


def why_gone(session_id: str) -> ContractError:
    """What to tell the holder of an id that has no record: expired, revoked, or never known."""
    user_id, digest = user_of(session_id), digest_of(session_id)
    with store_errors():
        pipe = redis().pipeline(transaction=False)
        pipe.zscore(ended_name(user_id), digest)
        pipe.zscore(index_name(user_id), digest)
        ended, idle_end = pipe.execute()
    if ended is not None:
        return CredentialRevoked("session was ended")
    if idle_end is not None and idle_end <= time.time() + settings.LEEWAY_SECONDS:
        return CredentialExpired("idle time is over")
    return CredentialInvalid("unknown session id")


def _put(pipe: Pipeline, user_id: int, digest: str, record: Record) -> None:
    now = time.time()
    idle = record.idle_seconds(now)
    name = session_key_name(user_id, digest)
    pipe.set(name, record.encode(), nx=True, ex=max(1, idle))
    if user_id != ANONYMOUS:
        _list(pipe, user_id, digest, int(now) + idle)


def _list(pipe: Pipeline, user_id: int, digest: str, idle_end: int) -> None:
    """List a session for its user; the last answer is how many are listed now."""
    pipe.zadd(index_name(user_id), {digest: idle_end})
    pipe.expire(index_name(user_id), settings.ABSOLUTE_SECONDS + REMEMBER_ENDED_SECONDS)
    pipe.zcard(index_name(user_id))


def _retire(pipe: Pipeline, user_id: int, digest: str, record: Record, now: int) -> None:
    name, grace = session_key_name(user_id, digest), settings.GRACE_SECONDS
    _note_ended(pipe, user_id, digest, now)
    if not grace:
        pipe.delete(name)
        pipe.zrem(index_name(user_id), digest)
        return
    old = Record(**{**asdict(record), "rotated": True})
    pipe.set(name, old.encode(), xx=True, ex=grace)
    # It stays listed until its end, so that a logout within the grace finds and ends it.
    pipe.zadd(index_name(user_id), {digest: now + grace}, xx=True)


def _note_ended(pipe: Pipeline, user_id: int, digest: str, now: int) -> None:
    pipe.zadd(ended_name(user_id), {digest: now})
    pipe.zremrangebyrank(ended_name(user_id), 0, -2 * MOST_DEVICES - 1)
    pipe.expire(ended_name(user_id), REMEMBER_ENDED_SECONDS)


def _trim_index(user_id: int, *, listed: int, most: int) -> None:
    """Drop what expired long ago, and the longest unused session beyond `MOST_DEVICES`.

    Only of an index that lists more than `most`: nearly none does.
    What has no more than the grace left is no device but the predecessor of one, and some other
    tab's: it goes by itself.
    """
    if listed <= most:
        return
    index, now = index_name(user_id), int(time.time())
    with store_errors():
        pipe = redis().pipeline(transaction=False)
        pipe.zremrangebyscore(index, "-inf", now - REMEMBER_ENDED_SECONDS)
        live = f"({now + settings.GRACE_SECONDS}"
        pipe.zrevrangebyscore(index, "+inf", live, start=MOST_DEVICES, num=MOST_TRIMMED)
        pipe.zrevrangebyscore(index, now - 1, "-inf", start=MOST_EXPIRED, num=MOST_TRIMMED)
        _, surplus, expired = pipe.execute()
        if not surplus and not expired:
            return
        pipe = redis().pipeline()
        pipe.zrem(index, *surplus, *expired)
        for digest in surplus:
            pipe.delete(session_key_name(user_id, digest.decode()))
            _note_ended(pipe, user_id, digest.decode(), now)
        pipe.execute()
    mirror.forget(session_key_name(user_id, digest.decode()) for digest in surplus)
