"""How does an outside program act for a user? With a token that does what it names.

It is an access token for days instead of minutes, so that here, unlike a login's, it is looked
up on every request: the row is what makes it live, and ending it deletes the row. A service
that verifies on its own sees the signature and `exp`, and nothing of that; it may ask
(`jwt_api.introspection`). The token itself is stored nowhere.

The sessions flow has no such file: a session id means nothing without our Redis, and in it
stands everything or nothing.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.audit import record
from accounts.client_info import client_ip, user_agent
from accounts.contract.errors import CredentialRevoked
from accounts.contract.flow import Device, Remembered, new_device_id
from accounts.contract.permissions import SCOPES as CONTRACT_SCOPES
from accounts.lifecycle import revoked_if_deleted
from accounts.models import AuthEvent, User, locked
from jwt_api import denylist, store
from jwt_api.models import ProgramToken
from jwt_api.tokens import ProgramAccessToken

# What a service of its own opens: it cannot know that a token was revoked.
ELSEWHERE = {"notes:read": "Read the notes of the service beside this one"}
SCOPES = {**CONTRACT_SCOPES, **ELSEWHERE}
MOST_TOKENS = 20
USE_NOTED_EVERY = timedelta(minutes=1)


class TooManyTokens(Exception):
    """The user has `MOST_TOKENS` that are live."""


def make(
    request: HttpRequest, user: User, device: str, *, name: str, scope: str, seconds: int
) -> tuple[ProgramToken, str]:
    """A new token: its row, and its text, which nobody can be told a second time.

    `device` is the login by which the user asks. `scope` is any of `SCOPES`, separated by spaces
    (RFC 8693, section 4.2). Raises `TooManyTokens`, and `CredentialRevoked` where that login was
    ended.
    """
    now = timezone.now().replace(microsecond=0)
    token = ProgramAccessToken()
    row = ProgramToken(
        id=new_device_id(),
        user=user,
        jti=token["jti"],
        epoch=user.epoch,
        name=name,
        scope=" ".join(dict.fromkeys(scope.split())),
        created=now,
        expires=now + timedelta(seconds=seconds),
        ip=client_ip(request),
        user_agent=user_agent(request),
    )
    with revoked_if_deleted(user.pk), transaction.atomic():
        # One after the other, of one user: none counts before another one is there.
        locked(pk=user.pk).first()
        # Threat: an access token is good for minutes after its login was ended, for a theft
        # perhaps. What it could make here would be good for days.
        if not store.is_live(user.pk, device, user.epoch):
            raise CredentialRevoked("login was ended")
        if live(user.pk).count() >= MOST_TOKENS:
            raise TooManyTokens
        row.save(force_insert=True)
        record(
            AuthEvent.Kind.TOKEN, request, flow="jwt", user_id=user.pk, device=row.pk, detail=name
        )
    return row, _text(token, row)


def _text(token: ProgramAccessToken, row: ProgramToken) -> str:
    token["sub"] = str(row.user_id)
    token["client_id"] = token["sid"] = row.pk
    token["epoch"] = row.epoch
    token["scope"] = row.scope
    token.set_iat(at_time=row.created)
    token.set_exp(from_time=row.expires, lifetime=timedelta())
    return str(token)


def live(user_id: int) -> QuerySet[ProgramToken]:
    """The tokens of a user that still open something, the newest first."""
    return ProgramToken.objects.filter(
        user_id=user_id, user__epoch=F("epoch"), user__is_active=True, expires__gt=timezone.now()
    )


def row_of(token: ProgramAccessToken) -> ProgramToken | None:
    """The row that makes a verified token live; None after it was ended, or its user changed."""
    return ProgramToken.objects.filter(
        pk=token.device,
        jti=token["jti"],
        user_id=token.user_id,
        epoch=token["epoch"],
        user__epoch=F("epoch"),
        user__is_active=True,
    ).first()


def note_use(row: ProgramToken, request: HttpRequest) -> None:
    """Remember when and from where a token was used, to the minute: most requests write nothing."""
    now = timezone.now()
    if row.last_used is not None and now - row.last_used < USE_NOTED_EVERY:
        return
    unnoted = Q(last_used=None) | Q(last_used__lte=now - USE_NOTED_EVERY)
    ProgramToken.objects.filter(unnoted, pk=row.pk).update(
        last_used=now, ip=client_ip(request), user_agent=user_agent(request)
    )


def devices(user_id: int) -> list[Device]:
    """The user's tokens, as the list of devices shows them."""
    now = timezone.now()
    return [
        Device(
            id=row.pk,
            flow="jwt",
            created=row.created,
            last_seen=row.last_used or row.created,
            expires=row.expires,
            ip=row.ip,
            user_agent=row.user_agent,
            ends_within=_ends_within(row, now),
            name=row.name,
            scope=row.scope,
        )
        for row in live(user_id)
    ]


def _ends_within(row: ProgramToken, now: datetime) -> int:
    """0 where the row is looked up. A service that looks up nothing takes the token until `exp`."""
    if not ELSEWHERE.keys() & set(row.scope.split()):
        return 0
    return int((row.expires - now).total_seconds()) + settings.LEEWAY_SECONDS + 1


def remembered(user_id: int) -> list[Remembered]:
    """Every row that the database holds for the user's programs."""
    now = timezone.now()
    return [
        Remembered(
            where="database",
            name=f"program token {row.pk}",
            value=f"“{row.name}”, {row.scope}, epoch {row.epoch}",
            expires_in=int((row.expires - now).total_seconds()),
        )
        for row in live(user_id)
    ]


def end(user_id: int, device: str) -> bool:
    """End one token of a user; False if there is none."""
    return _end(live(user_id).filter(pk=device)) > 0


def end_outdated(user_id: int) -> None:
    """Forget the tokens that were made in another epoch than the user's row says now."""
    _end(ProgramToken.objects.filter(user_id=user_id).exclude(user__epoch=F("epoch")))


def _end(rows: QuerySet[ProgramToken]) -> int:
    """Delete rows, and tell services that look up the denylist instead of our database."""
    with transaction.atomic():
        found = list(rows)
        for row in found:
            left = int((row.expires - timezone.now()).total_seconds())
            seconds = max(1, left + 2 * settings.LEEWAY_SECONDS)
            denylist.add([(row.user_id, row.pk)], seconds=seconds)
        if not found:
            return 0
        return rows.filter(pk__in=[row.pk for row in found]).delete()[0]
