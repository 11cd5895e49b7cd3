"""How many passwords may be tried? Counted in Redis, before anything is hashed.

DRF's throttles are not used: they read, decide and write in separate steps, and
let 40 of 40 concurrent logins through a limit of 5. `INCR` cannot be overtaken.
"""

from dataclasses import dataclass
from hashlib import sha256

from django.conf import settings
from django.http import HttpRequest
from django_redis import get_redis_connection

from accounts.client_info import client_network
from accounts.contract.errors import STORE_ERRORS, StoreUnavailable, Throttled


@dataclass(frozen=True)
class Limit:
    """One counter in Redis (`login-limit:<what>:<digest>`) and how far it may go in a window."""

    key: str
    most: int


def limits(request: HttpRequest | None, username: str) -> list[Limit]:
    """The counters that a login attempt moves: its account's and its network's.

    The account's name is digested: user names do not belong into key listings.
    """
    account = sha256(username.strip().casefold().encode(errors="replace")).hexdigest()[:32]
    found = [Limit(f"login-limit:account:{account}", settings.LOGIN_LIMIT_ACCOUNT)]
    if request is not None:
        network = sha256(client_network(request).encode()).hexdigest()[:32]
        found.append(Limit(f"login-limit:network:{network}", settings.LOGIN_LIMIT_NETWORK))
    return found


def claim_attempt(request: HttpRequest | None, username: str) -> None:
    """Count one attempt against every limit, or raise `Throttled` with the seconds to wait.

    Raises `StoreUnavailable` when Redis cannot count: without a count no password is tried.
    """
    counters = limits(request, username)
    try:
        pipeline = get_redis_connection("auth").pipeline()
        for limit in counters:
            # SET NX first, so that a counter never exists without its end. (EXPIRE NX needs
            # Redis 7, and the bundled server is 6.2.)
            pipeline.set(limit.key, 0, nx=True, ex=settings.LOGIN_LIMIT_SECONDS)
            pipeline.incr(limit.key)
            pipeline.ttl(limit.key)
        answers = pipeline.execute()
    except STORE_ERRORS as error:
        raise StoreUnavailable("login limits") from error
    counts, waits = answers[1::3], answers[2::3]
    over = [
        wait
        for limit, count, wait in zip(counters, counts, waits, strict=True)
        if count > limit.most
    ]
    if over:
        raise Throttled("login limit", retry_after=max(1, *over))


def give_back_attempt(request: HttpRequest | None, username: str) -> None:
    """Take the attempt off the counters again: the password was right."""
    try:
        pipeline = get_redis_connection("auth").pipeline()
        for limit in limits(request, username):
            pipeline.set(limit.key, 1, nx=True, ex=settings.LOGIN_LIMIT_SECONDS)
            pipeline.decr(limit.key)
        pipeline.execute()
    except STORE_ERRORS as error:
        raise StoreUnavailable("login limits") from error
