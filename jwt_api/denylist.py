"""Which access tokens were revoked before they expire? The list of them, in Redis.

It is kept where somebody asks for it: JWT_REVOCATION, or the lab for its strategies; then services
that may reach Redis can ask as well. An entry lives as long as a token that it is about, so that
the list holds what was ended in the last quarter of an hour, and no more. `{7}` is the user's id:

    denied:{7}:<device>   string   "1": this device was ended
    denied:{7}            string   what was changed of the user's row, as `accounts.snapshots`
    denied:since          string   Unix time from which on the list has no gap

`jwt_api.revocation` says what follows from it for a token.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from redis.exceptions import RedisError

from accounts.auth_redis import Redis, auth_redis
from accounts.contract.errors import StoreUnavailable
from accounts.contract.flow import Remembered
from accounts.mirror import InThisProcess, Whole
from accounts.snapshots import CHANGING, copy_row

logger = logging.getLogger("authdemo.jwt")

SINCE = "denied:since"
MOST_MIRRORED = 1_000_000

mirror = InThisProcess(Whole, "denied:", most=MOST_MIRRORED)


def redis() -> Redis:
    return auth_redis()


def user_name(user_id: int) -> str:
    return f"denied:{{{user_id}}}"


def device_name(user_id: int, device: str) -> str:
    return f"denied:{{{user_id}}}:{device}"


def longest_life() -> int:
    """For how many seconds any access token may still be taken, by clocks that differ."""
    return settings.ACCESS_SECONDS + 2 * settings.LEEWAY_SECONDS


# --- reading --------------------------------------------------------------------------------


def read(user_id: int, device: str, *, pushed: bool) -> list[bytes | None]:
    """What stands under `denied:since`, for the user and for the device. Raises `RedisError`.

    One Redis read; none if it is `pushed`: then this process knows the list.
    """
    names = [SINCE, user_name(user_id), device_name(user_id, device)]
    client = redis()
    return mirror.of(client).get(names) if pushed else client.mget(names)


def begin() -> None:
    """Note from when on the list has no gap, where nothing is noted. Raises `RedisError`."""
    redis().set(SINCE, int(time.time()), nx=True)


def remembered(user_id: int, devices: Iterable[str]) -> list[Remembered]:
    """What the list says of a user and of these devices, for a learner to look at.

    Asked of Redis, of which the mirror holds a copy. Raises `StoreUnavailable`.
    """
    names = [*(device_name(user_id, device) for device in devices), user_name(user_id), SINCE]
    try:
        pipe = redis().pipeline(transaction=False)
        for name in names:
            pipe.get(name)
            pipe.ttl(name)
        answers = pipe.execute()
    except RedisError as error:
        raise StoreUnavailable(f"redis: {type(error).__name__}") from error
    return [
        Remembered("Redis", name, raw.decode(), left if left >= 0 else None)
        for name, raw, left in zip(names, answers[::2], answers[1::2], strict=True)
        if raw is not None
    ]


# --- writing --------------------------------------------------------------------------------


def is_relied_on() -> bool:
    """Whether a revocation that did not reach the list has not happened."""
    return settings.JWT_REVOCATION != "expiry"


def is_kept() -> bool:
    """Whether anybody may look at it: requests, or the strategies of the lab."""
    return is_relied_on() or settings.LAB


def add(
    devices: Iterable[tuple[int, str]], *, seconds: int | None = None, must: bool = False
) -> None:
    """Put devices, each with its user's id, on the list, inside the transaction that ends them.

    Before its commit: a logout that the list did not take is not done, and is asked for again.
    (Should the commit fail after this, the device is out for a while though its row is live. The
    other way round, a revoked token would live.) Raises `StoreUnavailable` where the list is
    relied on: by JWT_REVOCATION, or by a caller who says that it `must` be there.
    """
    names = [device_name(user_id, device) for user_id, device in devices]

    def put(client: Redis) -> None:
        pipe = client.pipeline(transaction=False)
        for name in names:
            pipe.set(name, 1, ex=seconds or longest_life())
        pipe.execute()

    if names:
        _write(put, names, must)


def user_changing(user_id: int) -> None:
    """Have tokens of this user be judged by the row itself, while a transaction changes it."""
    name = user_name(user_id)
    _write(lambda client: client.set(name, CHANGING, ex=longest_life()), [name])


def user_changed(user_id: int) -> None:
    """Have older tokens of this user be judged by the row as it has become."""
    name, seconds = user_name(user_id), longest_life()
    _write(lambda client: copy_row(client, name, user_id, seconds=seconds, committed=True), [name])


def _write(write: Callable[[Redis], Any], names: Iterable[str], must: bool = False) -> None:
    must = must or is_relied_on()
    if not must and not is_kept():
        return
    try:
        write(redis())
    except RedisError as error:
        if must:
            raise StoreUnavailable(f"redis: {type(error).__name__}") from error
        # Only the lab's other strategies look at it, and they cannot reach it either.
        logger.warning("not on the denylist: %s", type(error).__name__)
    mirror.forget(names)
