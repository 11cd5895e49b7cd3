"""What must the server remember for a token, and for how long?

A row per login (the family), and SimpleJWT's `token_blacklist` rows of its refresh
tokens. Access tokens are remembered nowhere. Its twin is `sessions_api.store`.

No row holds a token: `OutstandingToken.token`, where SimpleJWT keeps the usable
text, gets a note instead, and everything is keyed on `jti`. (An ES256 token has a
second valid text with the same `jti`; a list of texts would miss it.)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypedDict, TypeVar

from django.conf import settings
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.contract.checking import check
from accounts.contract.errors import (
    CredentialExpired,
    CredentialInvalid,
    CredentialReused,
    CredentialRevoked,
)
from accounts.contract.flow import Family, Generation, Remembered, new_device_id
from accounts.models import User
from accounts.suspicion.policy import Verdict, judge
from accounts.suspicion.rules import Use
from jwt_api import denylist
from jwt_api.models import TokenFamily
from jwt_api.tokens import RefreshToken

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class _ReadAt(TypedDict):
        read_at: datetime

    ReadFamily = WithAnnotations[TokenFamily, _ReadAt]

NOT_STORED = "(the token is not stored)"
Ended = TokenFamily.Ended
# PostgreSQL's serialization_failure and deadlock_detected: of two transactions one was undone.
CONFLICTS = {"40001", "40P01"}
MOST_TRIES = 40
MOST_SHOWN = 20
GENERATIONS_SHOWN = 6

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class _Overtaken(Exception):
    """Another request rotated or ended the family between our read and our claim."""


class Suspected(CredentialRevoked):
    """The token is good, and its use looks like somebody else's; the caller ends the family."""

    def __init__(self, family: TokenFamily, verdict: Verdict) -> None:
        super().__init__(f"suspicion: {verdict.sentence}")
        self.family, self.verdict = family, verdict


def again_on_conflict(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Run a transaction once more when the database has undone it in favour of another one.

    Never seen at Django's default isolation level. A deployment that chose REPEATABLE READ would
    otherwise answer 503 to every second tab that refreshes.
    """

    @wraps(function)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        # Only a whole transaction can be run again, not a part of one.
        tries = 1 if connection.in_atomic_block else MOST_TRIES
        while True:
            tries -= 1
            try:
                return function(*args, **kwargs)
            except OperationalError as error:
                if not tries or getattr(error.__cause__, "sqlstate", None) not in CONFLICTS:
                    raise

    return run


def start_family(user: User, *, ip: str, user_agent: str) -> tuple[TokenFamily, RefreshToken]:
    """Write the family of a new login and return it with its first refresh token."""
    now = timezone.now()
    family = TokenFamily(
        id=new_device_id(),
        user=user,
        epoch=user.epoch,
        created=now,
        last_used=now,
        absolute_end=now + timedelta(seconds=settings.ABSOLUTE_SECONDS),
        ip=ip,
        user_agent=user_agent,
    )
    token = _new_refresh_token(family)
    with transaction.atomic():
        family.current = _write_outstanding(family, token)
        family.save(force_insert=True)
    return family, token


@check("rotation", "It is the current one of its login, and is used up by this.")
def rotate(token: RefreshToken, use: Use | None = None) -> tuple[TokenFamily, RefreshToken]:
    """Exchange a refresh token for its successor: once. `use` says who asks, for the rules.

    Raises `Suspected`, `CredentialInvalid` for a family that never was, `CredentialRevoked`,
    `CredentialExpired`, and `CredentialReused` for a token that was exchanged already: then
    somebody holds a copy, and the caller ends the family.
    """
    began = time.perf_counter()
    while True:
        family = _family_of(token)
        if family.current is None:
            raise CredentialExpired("its row was purged")
        if token["jti"] == family.current.jti:
            try:
                return _claim(family, _judge(family, use))
            except _Overtaken:
                continue
            except IntegrityError as error:
                if BlacklistedToken.objects.filter(token=family.current).exists():
                    # The family's row is older than the blacklist: it came from a backup.
                    raise CredentialReused("current, and on the blacklist") from error
                raise
        if _is_in_grace(family, token, waited=time.perf_counter() - began):
            _judge(family, use)
            return family, _current_again(family)
        raise CredentialReused("refresh token reused")


@check("family", "The database has its login: live, of this epoch, and its end has not come.")
def _family_of(token: RefreshToken) -> ReadFamily:
    """The live family that the token belongs to, with its user and tokens: one SQL statement.

    An allow-list: what is not there, or not as it was at login, is refused. `read_at` is
    the time by the database's clock.
    """
    family = (
        TokenFamily.objects.select_related("user", "current", "previous")
        .filter(pk=token.device, user_id=token.user_id)
        .annotate(read_at=Now())
        .first()
    )
    if family is None:
        raise CredentialInvalid("unknown family")
    if family.ended is not None:
        raise CredentialRevoked(f"family ended: {family.ended_because}")
    if not family.user.is_active or not (token["epoch"] == family.epoch == family.user.epoch):
        raise CredentialRevoked("epoch, or inactive")
    # Threat: a server whose clock went back would take what expired in the meantime. What either
    # clock calls expired is expired.
    if max(timezone.now(), family.read_at) >= family.absolute_end:
        raise CredentialExpired("absolute lifetime is over")
    if family.read_at.timestamp() > token["exp"] + settings.LEEWAY_SECONDS:
        raise CredentialExpired("expired by the database's clock")
    return family


@check("suspicion", "It is used as its owner would use it.")
def _judge(family: TokenFamily, use: Use | None) -> Verdict | None:
    if use is None:
        return None
    verdict = judge(family.past, use)
    if verdict.action.ends:
        raise Suspected(family, verdict)
    return verdict


@again_on_conflict
def _claim(family: ReadFamily, verdict: Verdict | None = None) -> tuple[TokenFamily, RefreshToken]:
    """Make the family's current token its previous one, if it still is the current one.

    Threat: N requests with one token all read "not used yet". The conditional UPDATE is
    the gate: it changes one row for one of them. (SimpleJWT checks, then lists; 92 of
    100 races on PostgreSQL had several winners.)
    """
    used = family.current
    assert used is not None
    token = _new_refresh_token(family)
    history = verdict.history.encode() if verdict is not None else family.history
    with transaction.atomic():
        outstanding = _write_outstanding(family, token)
        # Surprise: no join may stand in this filter. Django would turn it into a subquery, which
        # PostgreSQL does not evaluate again after waiting for a concurrent UPDATE.
        claimed = TokenFamily.objects.filter(pk=family.pk, current=used, ended=None).update(
            current=outstanding,
            previous=used,
            rotated=Now(),
            last_used=timezone.now(),
            generation=F("generation") + 1,
            history=history,
        )
        if not claimed:
            raise _Overtaken
        BlacklistedToken.objects.create(token=used)
    family.current, family.previous = outstanding, used
    family.noticed = verdict
    return family, token


def _is_in_grace(family: ReadFamily, token: RefreshToken, *, waited: float) -> bool:
    """Whether the token is the immediate predecessor, rotated away moments before it was presented.

    Two tabs that refresh at once, or an answer that was lost on its way, are not theft. Both
    times are the database's: two web servers whose clocks differ by the grace would take one tab
    for a thief, and a clock that went back an hour would lengthen the grace by it. The seconds
    for which the request has `waited` here since it was presented do not count against it.
    """
    if family.previous is None or family.rotated is None or token["jti"] != family.previous.jti:
        return False
    # Surprise: `read_at` is when the SELECT began, which may be before the row that it found.
    age = abs(family.read_at - family.rotated)
    grace = settings.GRACE_SECONDS
    return grace > 0 and age < timedelta(seconds=grace + waited)


def _current_again(family: TokenFamily) -> RefreshToken:
    """The current refresh token once more: the same claims, signed again, since no text is kept."""
    assert family.current is not None
    assert family.current.created_at is not None
    token = _new_refresh_token(family)
    token["jti"] = family.current.jti
    token.set_iat(at_time=family.current.created_at)
    token.set_exp(from_time=family.current.expires_at, lifetime=timedelta())
    return token


def end_family(
    device: str, because: Ended, *, user_id: int | None = None, deny: bool = False
) -> bool:
    """End one live family; False if there is none. Its current token goes on the blacklist.

    `deny`: whether the caller relies on the denylist, see `jwt_api.denylist.add`.
    """
    live = TokenFamily.objects.filter(pk=device, ended=None)
    if user_id is not None:
        live = live.filter(user_id=user_id)
    return _end(live, because, deny) > 0


def end_outdated_families(user_id: int) -> None:
    """End the families of a user that were started in another epoch than the row says now."""
    epoch = User.objects.filter(pk=user_id).values_list("epoch", flat=True).first()
    if epoch is not None:
        live = TokenFamily.objects.filter(user_id=user_id, ended=None)
        _end(live.exclude(epoch=epoch), Ended.EVERYWHERE)


@again_on_conflict
def _end(live: QuerySet[TokenFamily], because: Ended, deny: bool = False) -> int:
    with transaction.atomic():
        owners = dict(live.values_list("pk", "user_id"))
        if not owners:
            return 0
        ended = live.update(ended=timezone.now(), ended_because=because)
        # Read after the UPDATE: from then on no refresh can put another token into `current`.
        tokens = TokenFamily.objects.filter(pk__in=owners).exclude(current=None)
        BlacklistedToken.objects.bulk_create(
            [BlacklistedToken(token_id=pk) for pk in tokens.values_list("current_id", flat=True)],
            ignore_conflicts=True,
        )
        denied = [(user_id, device) for device, user_id in owners.items()]
        denylist.add(denied, must=deny)
    return ended


def is_live(user_id: int, device: str, epoch: int) -> bool:
    """Whether the login that an access token comes from goes on, by the database."""
    return TokenFamily.objects.filter(
        pk=device,
        user_id=user_id,
        epoch=epoch,
        user__epoch=F("epoch"),
        user__is_active=True,
        ended=None,
    ).exists()


def live_families(user_id: int) -> list[TokenFamily]:
    """The user's families that could still refresh, newest use first."""
    now = timezone.now()
    return list(
        TokenFamily.objects.select_related("current")
        .filter(user_id=user_id, ended=None, epoch=F("user__epoch"), absolute_end__gt=now)
        .filter(current__expires_at__gt=now)
    )


def remembered(user_id: int) -> list[Remembered]:
    """Every row that the database holds for the user's logins, newest first."""
    now = timezone.now()
    families = TokenFamily.objects.filter(user_id=user_id).order_by("-created")[:MOST_SHOWN]
    rows = [
        Remembered(
            where="database",
            name=f"token family {family.pk}",
            value=f"generation {family.generation}, epoch {family.epoch}, {_state(family)}",
            expires_in=_seconds_until(family.absolute_end, now),
        )
        for family in families
    ]
    tokens = OutstandingToken.objects.filter(user_id=user_id, expires_at__gt=now)
    for token in tokens.select_related("blacklistedtoken").order_by("-created_at")[:MOST_SHOWN]:
        used = hasattr(token, "blacklistedtoken")
        rows.append(
            Remembered(
                where="database",
                name=f"refresh token {token.jti[:8]}…",
                value="used: on the blacklist" if used else "not used yet",
                expires_in=_seconds_until(token.expires_at, now),
            )
        )
    return rows


def families(user_id: int) -> list[Family]:
    """The user's token families, each with its latest refresh tokens, newest first."""
    found = TokenFamily.objects.filter(user_id=user_id).select_related("current", "previous")
    return [
        Family(
            device=family.pk,
            live=family.ended is None,
            reused=family.ended_because == Ended.REUSE,
            state=_state(family),
            generations=tuple(_generations(family)),
        )
        for family in found.order_by("-created")[:MOST_SHOWN]
    ]


def _generations(family: TokenFamily) -> Iterator[Generation]:
    newest = family.generation
    # A family knows two of its tokens; of the others it knows that they were.
    rows = {newest: family.current, newest - 1: family.previous}
    for number in range(newest, max(0, newest - GENERATIONS_SHOWN), -1):
        row = rows.get(number)
        is_used, is_over = number < newest, family.ended is not None
        state = "used" if is_used else "revoked" if is_over else "not used yet"
        yield Generation(number, state, row.created_at if row is not None else None)


def _state(family: TokenFamily) -> str:
    return f"ended: {family.get_ended_because_display()}" if family.ended else "live"


def _seconds_until(moment: datetime, now: datetime) -> int:
    return int((moment - now).total_seconds())


def _new_refresh_token(family: TokenFamily) -> RefreshToken:
    token = RefreshToken()
    token["sub"] = str(family.user_id)
    token["client_id"] = settings.JWT_CLIENT_ID
    token["sid"] = family.pk
    token["epoch"] = family.epoch
    idle_end = token.current_time + settings.SIMPLE_JWT["REFRESH_TOKEN_LIFETIME"]
    # Renewing never passes the absolute end (browser-apps BCP; ASVS 10.4.8).
    token.set_exp(from_time=min(idle_end, family.absolute_end), lifetime=timedelta())
    return token


def _write_outstanding(family: TokenFamily, token: RefreshToken) -> OutstandingToken:
    return OutstandingToken.objects.create(
        user_id=family.user_id,
        jti=token["jti"],
        token=NOT_STORED,
        created_at=token.current_time,
        expires_at=datetime.fromtimestamp(token["exp"], tz=token.current_time.tzinfo),
    )
