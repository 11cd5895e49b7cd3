"""How many passwords may be tried, and mails asked for? Counted in Redis, before it is done.

DRF's throttles are not used: they read, decide and write in separate steps, and
let 40 of 40 concurrent logins through a limit of 5. `INCR` cannot be overtaken.
"""

import time
from dataclasses import dataclass
from hashlib import sha256
from math import ceil

from django.conf import settings
from django.http import HttpRequest
from django_redis import get_redis_connection

from accounts.client_info import client_network
from accounts.contract.checking import check
from accounts.contract.errors import STORE_ERRORS, StoreUnavailable, Throttled
from accounts.known_devices import known_device

KNOWN_DEVICES_AT_ONCE = 10


@dataclass(frozen=True)
class Limit:
    """One counter in Redis (`login-limit:<what>:<digest>`) and how far it may go in a window.

    The window is one of `seconds`. Mails are counted in `mail-limit:<what>:<digest>`.
    """

    key: str
    most: int
    seconds: int


@dataclass(frozen=True)
class Claim:
    """One attempt on one counter. `until` is when its window ends, in seconds of this process."""

    key: str
    until: float
    seconds: int


def limits(request: HttpRequest | None, username: str) -> list[Limit]:
    """The counters that a login attempt moves, its sender's own one first.

    From a browser that the account knows: the browser's, then that of all browsers that the
    account knows. From anywhere else: the network's, then the account's.
    """
    account, seconds = _digest(username.strip().casefold()), settings.LOGIN_LIMIT_SECONDS
    device = known_device(request, username) if request is not None else None
    if device is not None:
        # Not the network's: an office, or a city behind its carrier's NAT, shares one address with
        # whoever tries passwords there, and would be locked out with them. Nothing is lost by
        # that: many accounts cannot be tried with a cookie that is good for one.
        return [
            Limit(f"login-limit:device:{_digest(device)}", settings.LOGIN_LIMIT_ACCOUNT, seconds),
            # Threat: who once had the password can have logged in a thousand times and kept a
            # thousand cookies, to guess the next password with as many budgets.
            Limit(
                f"login-limit:devices:{account}",
                settings.LOGIN_LIMIT_ACCOUNT * KNOWN_DEVICES_AT_ONCE,
                seconds,
            ),
        ]
    found = [Limit(f"login-limit:account:{account}", settings.LOGIN_LIMIT_ACCOUNT, seconds)]
    if request is not None:
        network = _digest(client_network(request))
        most = settings.LOGIN_LIMIT_NETWORK
        found.insert(0, Limit(f"login-limit:network:{network}", most, seconds))
    return found


def mail_limits(request: HttpRequest, address: str) -> list[Limit]:
    """The counters that a mail moves, its sender's own one first.

    By the address that it goes to, whether or not somebody has an account with it: a limit for
    accounts only would tell which ones there are.
    """
    network, receiver = _digest(client_network(request)), _digest(address.strip().casefold())
    seconds = settings.MAIL_LIMIT_SECONDS
    return [
        Limit(f"mail-limit:network:{network}", settings.MAIL_LIMIT_NETWORK, seconds),
        Limit(f"mail-limit:address:{receiver}", settings.MAIL_LIMIT_ADDRESS, seconds),
    ]


@check("login limit", "There were not too many attempts; this one is counted before it is tried.")
def claim_attempt(request: HttpRequest | None, username: str) -> list[Claim]:
    """Count one attempt and say where, or raise `Throttled` with the seconds to wait.

    Raises `StoreUnavailable` when Redis cannot count: without a count no password is tried.
    """
    # Threat: counted in one go, the refused attempts of one network would go on to use up those of
    # any number of accounts, and one copied cookie those of all known browsers. So the sender's own
    # counter comes first, and whom it refuses moves no other.
    return [_count(limit) for limit in limits(request, username)]


@check("mail limit", "Not too many mails were asked for; this one is counted before it is sent.")
def claim_mail(request: HttpRequest, address: str) -> list[Claim]:
    """Count one mail to the address; raises as `claim_attempt` does."""
    return [_count(limit) for limit in mail_limits(request, address)]


def _count(limit: Limit) -> Claim:
    asked = time.monotonic()
    try:
        pipeline = get_redis_connection("auth").pipeline()
        # SET NX first, so that a counter never exists without its end; and the end stays where it
        # is, however often is tried meanwhile. (EXPIRE NX needs Redis 7; the bundled one is 6.2.)
        pipeline.set(limit.key, 0, nx=True, ex=limit.seconds)
        pipeline.incr(limit.key)
        pipeline.pttl(limit.key)
        _, count, milliseconds = pipeline.execute()
    except STORE_ERRORS as error:
        raise StoreUnavailable("limits") from error
    if count > limit.most:
        raise Throttled(
            limit.key.partition(":")[0],
            retry_after=max(1, ceil(milliseconds / 1000)),
            is_first=count == limit.most + 1,
        )
    return Claim(limit.key, asked + milliseconds / 1000, limit.seconds)


def give_back_attempt(claims: list[Claim]) -> None:
    """Take an attempt off its counters again: the password was right, or no mail was sent."""
    # Threat: given back after its window, it would be an attempt more in the next one. What is over
    # before Redis can have answered is not given back; soon nobody counts it any more.
    soon = time.monotonic() + settings.REDIS_TIMEOUT_SECONDS
    try:
        pipeline = get_redis_connection("auth").pipeline()
        for claim in claims:
            if claim.until > soon:
                pipeline.set(claim.key, 1, nx=True, ex=claim.seconds)
                pipeline.decr(claim.key)
        pipeline.execute()
    except STORE_ERRORS as error:
        raise StoreUnavailable("limits") from error


def _digest(text: str) -> str:
    """What stands for a name in a key: user names and addresses do not belong into key listings."""
    return sha256(text.encode(errors="replace")).hexdigest()[:32]
