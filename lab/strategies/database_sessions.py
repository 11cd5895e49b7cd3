"""What do sessions cost in Django's own SQL engine? The strategy `session-database`.

Like the sessions flow in everything but the store: the same ids, the same record, the same
successors. Each request is checked as in any Django project: one statement reads the
session, one its user. What the engine lacks for the contract (devices, an absolute end, an id
that changes with each refresh) stands beside it, and costs a request nothing.

What it leaves out: the rules of suspicion, which look at each use.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import update_last_login
from django.contrib.sessions.backends import db
from django.db import transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from accounts.client_info import client_ip, user_agent
from accounts.contract import flow as contract
from accounts.contract.checking import check
from accounts.contract.csrf import enforce_csrf
from accounts.contract.errors import (
    ContractError,
    CredentialExpired,
    CredentialInvalid,
    CredentialRevoked,
    NotAuthenticated,
)
from accounts.contract.flow import (
    Credential,
    Device,
    EndedDevice,
    Presented,
    Remembered,
    new_device_id,
)
from accounts.models import User, locked
from accounts.purge import delete_oldest_first, lock_free
from lab.models import DatabaseSession
from lab.strategies.row import SameSite
from sessions_api.records import SESSION_ID, Record, digest_of, new_session_id, successor_id

REMEMBER_ENDED = timedelta(days=1)


class SessionStore(db.SessionStore):
    """Django's engine over our model. Its key is the digest of the id, its data a `Record`."""

    @classmethod
    def get_model_class(cls) -> type[DatabaseSession]:
        return DatabaseSession

    def create_model_instance(self, data: dict[str, Any]) -> DatabaseSession:
        row = super().create_model_instance(data)
        assert isinstance(row, DatabaseSession)
        record = Record(**data)
        assert record.epoch is not None
        row.user_id, row.device, row.epoch = user_of(record), record.device, record.epoch
        return row

    def get_expiry_date(self, **kwargs: Any) -> datetime:
        return idle_end(Record(**self._get_session()))  # type: ignore[attr-defined]

    def start(self, record: Record) -> None:
        """Write the row of a new session id.

        Surprise: the engine's own `save` takes every row that is refused for a key that exists.
        Here its user may have been deleted a moment ago, which the caller has to be told.
        """
        self._session_cache = asdict(record)
        self.create_model_instance(self._session_cache).save(force_insert=True)


# --- what can be done to a session ----------------------------------------------------------


@check(
    "record", "The database has a live row of it: nobody has ended it, and its time is not over."
)
def read(session_id: str) -> Record:
    """One SQL statement, which is Django's own; raises what is wrong with the id."""
    values = SessionStore(digest_of(session_id)).load()
    if not values:
        raise why_gone(session_id)
    return Record(**values)


def why_gone(session_id: str) -> ContractError:
    """What to tell the holder of an id that Django's engine does not find."""
    row = DatabaseSession.objects.filter(pk=digest_of(session_id)).first()
    if row is None:
        return CredentialInvalid("unknown session id")
    if row.expire_date > timezone.now():
        return CredentialInvalid("unreadable record")
    if row.ended is not None:
        return CredentialRevoked("session was ended")
    return CredentialExpired("idle or absolute time is over")


@check("epoch", "Its user may log in, and has not ended all logins since.")
def admit(record: Record, user: User | None) -> User:
    """The user, if the row lets this session in; or `CredentialRevoked`."""
    if user is None or not user.is_active or user.epoch != record.epoch:
        raise CredentialRevoked("epoch, inactive or deleted")
    return user


def touch(session_id: str, record: Record) -> None:
    """Note that a session was used, once a minute: the idle time starts again.

    Threat: a request that was under way while its user logged out must not write the session
    back. The engine's own `save` would, for the row of an ended session is still there.
    """
    now = int(time.time())
    if abs(now - record.seen) < min(60, settings.SESSION_COOKIE_AGE / 10):
        return
    used = replace(record, seen=max(now, record.seen))
    DatabaseSession.objects.filter(pk=digest_of(session_id), ended=None).update(
        session_data=SessionStore().encode(asdict(used)), expire_date=idle_end(used)
    )


@contextmanager
def alone_with(user_id: int) -> Iterator[User | None]:
    """The user's row, locked: no refresh gets past a logout, and no logout past a refresh."""
    with transaction.atomic():
        yield locked(pk=user_id).first()


def end(user_id: int, device: str) -> bool:
    """End every id of a device; False if it has no live one."""
    with alone_with(user_id):
        return retire(live(user_id).filter(device=device))


def live(user_id: int) -> QuerySet[DatabaseSession]:
    """Every id of a user that still opens something, predecessors in their grace included."""
    return DatabaseSession.objects.filter(user_id=user_id, expire_date__gt=timezone.now())


def retire(rows: QuerySet[DatabaseSession], *, grace: int = 0) -> bool:
    now = timezone.now()
    return rows.update(ended=now, expire_date=now + timedelta(seconds=grace)) > 0


def user_of(record: Record) -> int:
    return int(record.data[SESSION_KEY])


def idle_end(record: Record) -> datetime:
    return datetime.fromtimestamp(record.seen + record.idle_seconds(record.seen), UTC)


# --- who is asking? -------------------------------------------------------------------------


class Authentication(BaseAuthentication):
    """The session cookie of this strategy; two SQL statements, as in any Django project."""

    flow: ClassVar[Flow]
    """Under which cookie it looks, and among which ids."""

    def authenticate(self, request: Request) -> tuple[User, Presented] | None:
        session_id = self.flow.presented_id(request._request)
        if session_id is None:
            return None
        record = read(session_id)
        user = admit(record, User.objects.filter(pk=user_of(record)).first())
        if request.method not in SAFE_METHODS:
            # Threat: the browser sends the cookie along with a request that another site made.
            enforce_csrf(request._request)
        touch(session_id, record)
        presented = Presented(
            flow=self.flow.key,
            user_id=user.pk,
            epoch=user.epoch,
            device=record.device,
            roles=tuple(user.roles),
        )
        return user, presented

    def authenticate_header(self, request: Request) -> str:
        return 'Session realm="authdemo"'


# --- the life of a session ------------------------------------------------------------------


class Flow(contract.Flow):
    """The client holds an opaque id in a cookie; a row of the database holds all that it means."""

    key = "session-database"
    title = "Sessions in SQL"
    icon = "▥"
    scheme = "Session"
    summary = "The browser holds an opaque id in a cookie. Everything it means stands in SQL."
    salt = ""
    """Stands behind every id before it is digested: ids of a flow with another one open nothing."""

    def __init__(self) -> None:
        class OfThisFlow(Authentication):
            flow = self

        self.authentication = OfThisFlow  # type: ignore[misc]

    @property
    def cookie_name(self) -> str:
        return settings.LAB_SESSION_COOKIE_NAME

    @property
    def samesite(self) -> SameSite:
        return settings.SESSION_COOKIE_SAMESITE

    @check("session id", "What came as a session id, if anything did, has the form of one.")
    def presented_id(self, request: HttpRequest) -> str | None:
        """The session id in the cookie; None if there is none. Raises `CredentialInvalid`."""
        session_id = request.COOKIES.get(self.cookie_name)
        if not session_id:
            return None
        if not SESSION_ID.fullmatch(session_id):
            raise CredentialInvalid("malformed session id")
        return session_id + self.salt

    def new_id(self, request: HttpRequest, user: User) -> str:
        """Threat: an id that came along with the request may be one that somebody planted."""
        return new_session_id(user.pk) + self.salt

    def issue(self, request: HttpRequest, user: User) -> Credential:
        # Threat: a stolen copy of the id that is about to be overwritten would outlive the login
        # that was meant to end it.
        self.revoke(request)
        now = int(time.time())
        keys = {SESSION_KEY: str(user.pk), HASH_SESSION_KEY: user.get_session_auth_hash()}
        ip, agent = client_ip(request), user_agent(request)
        record = Record(new_device_id(), now, now, ip, agent, data=keys)
        session_id = self.new_id(request, user)
        SessionStore(digest_of(session_id)).start(record)
        update_last_login(User, user)
        return self._credential(session_id, record)

    def renew(self, request: HttpRequest) -> Credential:
        session_id = self.presented_id(request)
        if session_id is None:
            raise NotAuthenticated("no session cookie")
        next_id = successor_id(session_id) + self.salt
        with alone_with(int(session_id.partition(".")[0])) as user:
            record = read(session_id)
            admit(record, user)
            old = DatabaseSession.objects.filter(pk=digest_of(session_id))
            if old.filter(ended=None).exists():
                record.seen = max(int(time.time()), record.seen)
                SessionStore(digest_of(next_id)).start(record)
                retire(old, grace=settings.GRACE_SECONDS)
            elif DatabaseSession.objects.filter(pk=digest_of(next_id), ended=None).exists():
                record = read(next_id)  # another tab was faster
            else:
                raise CredentialRevoked("session id two refreshes old")
        return self._credential(next_id, record)

    def revoke(self, request: HttpRequest) -> EndedDevice | None:
        try:
            session_id = self.presented_id(request)
        except CredentialInvalid:
            return None
        row = DatabaseSession.objects.filter(pk=digest_of(session_id or "")).first()
        if row is None or not end(row.user_id, row.device):
            return None
        return EndedDevice(user_id=row.user_id, device=row.device)

    def revoke_device(self, user_id: int, device: str) -> bool:
        return end(user_id, device)

    def user_changing(self, user_id: int) -> None:
        # They are refused already, by their epoch: they shall not be listed, either.
        retire(live(user_id).exclude(epoch=F("user__epoch")))

    def devices(self, user_id: int) -> list[Device]:
        rows = live(user_id).filter(ended=None, epoch=F("user__epoch"))
        records = [(row, Record(**row.get_decoded())) for row in rows]
        return [
            Device(
                id=record.device,
                flow=self.key,
                created=datetime.fromtimestamp(record.created, UTC),
                last_seen=datetime.fromtimestamp(record.seen, UTC),
                expires=row.expire_date,
                ip=record.ip,
                user_agent=record.agent,
                ends_within=0,
            )
            for row, record in records
        ]

    def remembered(self, user_id: int) -> list[Remembered]:
        now = timezone.now()
        return [
            Remembered(
                where="database",
                name=f"session {row.pk[:8]}…",
                value=f"device {row.device}, epoch {row.epoch}"
                + (", in its grace" if row.ended else ""),
                expires_in=int((row.expire_date - now).total_seconds()),
            )
            for row in live(user_id).order_by("-expire_date")
        ]

    def purge(self, *, batch: int, dry_run: bool = False) -> Iterator[Counter[str]]:
        over = DatabaseSession.objects.filter(expire_date__lt=timezone.now() - REMEMBER_ENDED)
        if dry_run:
            yield Counter({"database sessions": over.count()})
            return
        yield from delete_oldest_first(over, "expire_date", _delete, batch=batch)

    def deliver(self, response: HttpResponseBase, credential: Credential) -> None:
        response.set_cookie(
            self.cookie_name,
            credential.secret or "",
            max_age=credential.secret_expires_in,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite=self.samesite,
        )

    def discard(self, response: HttpResponseBase) -> None:
        response.delete_cookie(self.cookie_name, samesite=self.samesite)

    def _credential(self, session_id: str, record: Record) -> Credential:
        return Credential(
            scheme=self.scheme,
            token=None,
            expires_in=record.idle_seconds(record.seen),
            user_id=user_of(record),
            device=record.device,
            secret=session_id.removesuffix(self.salt),
            secret_expires_in=math.ceil(record.absolute_end - time.time()),
        )


def _delete(found: list[str]) -> Counter[str]:
    with transaction.atomic():
        free = lock_free(DatabaseSession.objects.filter(pk__in=found))
        DatabaseSession.objects.filter(pk__in=free).delete()
    return Counter({"database sessions": len(free)})


flow = Flow()
