"""Is a token whose signature is good still good, now? As JWT_REVOCATION says.

expiry   its signature says it all, until `exp`
lookup   the denylist is read on each request
push     the denylist stands in this process's memory, which Redis keeps true
"""

from __future__ import annotations

import math
from dataclasses import asdict
from functools import lru_cache

from django.conf import settings
from redis.exceptions import RedisError

from accounts.contract.checking import check
from accounts.contract.errors import CredentialRevoked, StoreUnavailable
from accounts.models import User
from accounts.snapshots import Snapshot, row_of
from jwt_api import denylist, store
from jwt_api.tokens import AccessToken

MOST_REMEMBERED = 100_000


def roles_now(token: AccessToken, how: str) -> tuple[str, ...]:
    """The roles of the token's user, as far as they can be known; raises `CredentialRevoked`.

    While the denylist cannot be asked, JWT_REVOCATION_OUTAGE decides: `StoreUnavailable`, or
    what the token says until it expires.
    """
    if how == "expiry":
        return roles_in(token)
    try:
        return _roles_by_denylist(token, pushed=how == "push")
    except RedisError as error:
        if settings.JWT_REVOCATION_OUTAGE == "accept":
            return roles_in(token)
        raise StoreUnavailable(f"redis: {type(error).__name__}") from error


def roles_in(token: AccessToken) -> tuple[str, ...]:
    return tuple(token.get("roles", []))


@check("denylist", "The denylist names neither its device nor a change of its user that ends it.")
def _roles_by_denylist(token: AccessToken, *, pushed: bool) -> tuple[str, ...]:
    user_id = token.user_id
    since, user, ended = denylist.read(user_id, token.device, pushed=pushed)
    if ended is not None:
        raise CredentialRevoked("on the denylist")
    if since is None:
        denylist.begin()
    # Threat: a Redis that was emptied has forgotten what it denied. Clocks may differ.
    if token["iat"] <= _moment(since) + settings.LEEWAY_SECONDS:
        # Remembered for as long as the list has no gap: what is ended after this was read is on it.
        # Threat: a list that has no beginning yet may lose what it holds by then, and get another.
        look = check_row if since is None else _check_row_once
        look(user_id, token.device, token["epoch"], since)
    if user is None:
        return roles_in(token)
    # While the row changes, or if it cannot be read, the database is asked.
    snapshot = Snapshot.decode(user) or row_of(user_id)
    if not snapshot.admits(token["epoch"]):
        raise CredentialRevoked("epoch, inactive or deleted")
    return tuple(User.from_known(id=user_id, **asdict(snapshot)).roles)


def check_row(user_id: int, device: str, epoch: int, since: bytes | None) -> None:
    """Raise `CredentialRevoked` unless the database says that the login goes on."""
    if not store.is_live(user_id, device, epoch):
        raise CredentialRevoked("ended before the denylist began")


_check_row_once = lru_cache(maxsize=MOST_REMEMBERED)(check_row)


def _moment(raw: bytes | None) -> float:
    """The Unix time that Redis holds; none, or anything else, is later than every token."""
    return int(raw) if raw is not None and raw.isdigit() else math.inf
