"""Who is using the site, and what happened to their logins? `User` and `AuthEvent`."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar

from asgiref.sync import sync_to_async
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AbstractUser, UserManager
from django.core.signing import b64_encode
from django.db import models, transaction
from django.db.models import F
from django.db.models.base import ModelState
from django.db.models.expressions import Combinable
from django.db.models.functions import Greatest, Lower
from django.utils.crypto import salted_hmac

from accounts.contract.flow import Flow
from accounts.contract.registry import keepers

# The columns that credentials, or copies of the row in a flow's store, depend on.
SEEN_BY_FLOWS = {"is_active", "is_staff", "is_superuser"}
# Epochs count seconds from 2025 on: two digits shorter in every token than from 1970 on.
EPOCHS_BEGAN = 1735689600
MOST_AT_ONCE = 1000  # rows that a statement names; SQLite takes some 30,000 values


def first_epoch() -> int:
    """The epoch of a new user: the time.

    Threat: counted from 1, a row that is deleted and made again, or restored from a backup and then
    raised, would come to a number that it has had before, and revive what was issued under it.
    """
    return int(time.time()) - EPOCHS_BEGAN


def next_epoch() -> Combinable:
    """What a raised epoch is set to: the time, and higher than before whatever the clock says."""
    return Greatest(F("epoch") + 1, first_epoch())


def tell_flows(user_ids: Collection[int]) -> None:
    """Let every flow know that these rows change; call it inside the transaction that does it.

    A flow that cannot hear it raises, and the change fails with it: a deactivation that a
    store never learnt of would otherwise count as done.
    """
    for user_id in user_ids:
        for flow in keepers():
            flow.user_changing(user_id)
            # Robust: the change is made by then, and no answer may say that it was not.
            transaction.on_commit(_after_commit(flow, user_id), robust=True)


def _after_commit(flow: Flow, user_id: int) -> Callable[[], None]:
    def user_changed() -> None:  # Surprise: Django's log of a failed hook wants a real function.
        flow.user_changed(user_id)

    return user_changed


def locked(**columns: Any) -> models.QuerySet[User]:
    """The user with these columns, locked until the transaction ends; nobody if there is none.

    Without the key: rows that others insert of this user, the next token of a family say, would
    wait for it at their commit, and whoever has locked it for them: a deadlock on PostgreSQL.
    """
    return User.objects.select_for_update(no_key=True).filter(**columns)


def end_before_deletion(user_ids: Collection[int]) -> None:
    """End what these users have, and let nothing new name them; inside the transaction.

    What is under way would otherwise write one more row that names the user after the rows were
    collected, and PostgreSQL would refuse the deletion. The locks are taken in the order in which a
    logout-all takes them, so that neither waits for the other.
    """
    users = User.objects.filter(pk__in=user_ids)
    users.update(epoch=next_epoch())
    list(users.select_for_update().values_list("pk"))


class UserQuerySet(models.QuerySet["User"]):
    """Bulk changes reach the flows too: the admin's "delete selected" never calls `User.delete`."""

    def update(self, **values: Any) -> int:
        # Anything but the literal True may be a deactivation: 0, an expression, `bulk_update`.
        if "password" in values or values.get("is_active", True) is not True:
            values.setdefault("epoch", next_epoch())
        if not values.keys() & {*SEEN_BY_FLOWS, "epoch"}:
            return super().update(**values)
        with transaction.atomic():
            ids = list(self.order_by().values_list("pk", flat=True))
            # By number: a row that comes to fit this query meanwhile would change, and no flow
            # would be told of it.
            changed = sum(
                models.QuerySet.update(self.filter(pk__in=ids[at : at + MOST_AT_ONCE]), **values)
                for at in range(0, len(ids), MOST_AT_ONCE)
            )
            tell_flows(ids)
        return changed

    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            ids = list(self.order_by().values_list("pk", flat=True))
            end_before_deletion(ids)
            # By number: what this query filters by, such as a live login, is over by now.
            doomed: models.QuerySet[User] = models.QuerySet(self.model, using=self.db)
            return doomed.filter(pk__in=ids).delete()


class Users(UserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    """Django's user manager, with bulk changes that reach the flows."""

    use_in_migrations = False


class User(AbstractUser):
    """The one user model of both flows.

    `epoch` is part of every credential. Raising it ends every older credential of
    this user in both flows, and it is never lowered: `save` does not write it.
    """

    email = models.EmailField("email address", blank=True)
    # When a link that went there was last used. Null: somebody else's word, such as an admin's.
    email_verified = models.DateTimeField(null=True, editable=False)
    display_name = models.CharField(max_length=80, blank=True)
    epoch = models.PositiveBigIntegerField(default=first_epoch, editable=False)

    _as_read: Mapping[str, Any] = MappingProxyType({})
    """The columns of the row as this instance has read or written them."""

    objects: ClassVar[UserManager[User]] = Users()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                condition=~models.Q(email=""),
                name="accounts_user_email_unique",
                violation_error_message="A user with that email address already exists.",
            ),
        ]

    @property
    def roles(self) -> list[str]:
        """What this user may be beyond a user, in the words that credentials carry."""
        flags = {"staff": self.is_staff, "admin": self.is_superuser}
        return [role for role, held in flags.items() if held]

    @classmethod
    def from_known(cls, **known: Any) -> User:
        """A real user made from the columns that a credential tells; the others are deferred.

        SQL runs when one of those is read. Raises `TypeError` for what is no column.
        """
        if not known.keys() <= _columns():
            raise TypeError(f"not columns of a user: {sorted(known.keys() - _columns())}")
        # What `from_db` leaves behind, and `test_models.py` compares it. That goes through all
        # columns and sends two signals, for every request: a fifth of all that a check costs.
        user = cls.__new__(cls)
        user._state = ModelState()
        user._state.adding, user._state.db = False, "default"
        vars(user).update(known)
        user._as_read = known
        return user

    @classmethod
    def from_db(
        cls, db: str | None, field_names: Collection[str], values: Collection[Any], **options: Any
    ) -> User:
        user = super().from_db(db, field_names, values, **options)
        user._as_read = dict(zip(field_names, values, strict=True))
        return user

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: models.QuerySet[User] | None = None,
    ) -> None:
        super().refresh_from_db(using, fields, from_queryset)
        self._note_read(self._written_columns() if fields is None else fields)

    def _note_read(self, names: Iterable[str]) -> None:
        held = vars(self)
        self._as_read = {**self._as_read, **{name: held[name] for name in names if name in held}}

    def save(  # type: ignore[override]
        self, *args: Any, update_fields: Collection[str] | None = None, **kwargs: Any
    ) -> None:
        """Save what was changed; raise the epoch for another password and for a deactivation.

        Threat: a `save` of an instance that was loaded before a logout-all would put
        the old epoch back and revive every credential. So the epoch is never written
        from an instance, only raised in the database. And what this instance did not change it
        does not write, unless it is named: a request that was under way would put back the password
        that was just replaced, or the account that was just deactivated.
        """
        if self._state.adding:
            super().save(*args, update_fields=update_fields, **kwargs)
            self._note_read(self._written_columns())
            return
        if update_fields is None:
            update_fields = self._changed()
        update_fields = set(update_fields) - {"epoch"}
        password_changed = "password" in update_fields and self._is_changed("password")
        deactivated = "is_active" in update_fields and not self.is_active
        is_in_doubt = transaction.get_connection().in_atomic_block
        with transaction.atomic():
            super().save(*args, update_fields=update_fields, **kwargs)
            if password_changed or deactivated:
                self.raise_epoch()
            elif SEEN_BY_FLOWS & update_fields:
                tell_flows([self.pk])
        if is_in_doubt:
            # Threat: after a rollback the next `save` would take it for written, and a password
            # for the one that was there before. So it is written again, and raises once more.
            kept = self._as_read.keys() - update_fields
            self._as_read = {name: self._as_read[name] for name in kept}
        else:
            self._note_read(update_fields)

    def _written_columns(self) -> set[str]:
        return {field.attname for field in self._meta.concrete_fields if not field.primary_key}

    def _changed(self) -> set[str]:
        """The columns to write. A deactivation is one of them whatever was read: another instance
        may have activated the user meanwhile.
        """
        held = vars(self)
        names = self._written_columns() & held.keys()
        changed = {name for name in names if self._is_changed(name)}
        return changed | ({"is_active"} if held.get("is_active") is False else set())

    def _is_changed(self, name: str) -> bool:
        return name not in self._as_read or self._as_read[name] != getattr(self, name)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            end_before_deletion([self.pk])
            return super().delete(*args, **kwargs)

    def check_password(self, raw_password: str | None) -> bool:
        """Check, and hash anew where the hasher is an older one.

        Threat: Django's own writes the new hash of the password that was right when this row was
        read. A login under way would put an old password back over the one just set.
        """

        def renew_hash(password: str | None) -> None:
            renewed = make_password(password)
            unchanged: models.QuerySet[User] = models.QuerySet(User)
            unchanged = unchanged.filter(pk=self.pk, password=self.password)
            if unchanged.update(password=renewed):
                self.password = renewed
                self._note_read(["password"])  # the same password: nobody is to be logged out

        return check_password(raw_password, self.password, renew_hash)

    async def acheck_password(self, raw_password: str | None) -> bool:
        return await sync_to_async(self.check_password)(raw_password)

    def raise_epoch(self) -> None:
        """End every credential issued so far, in both flows, at commit."""
        with transaction.atomic():
            models.QuerySet(User).filter(pk=self.pk).update(epoch=next_epoch())
            self.refresh_from_db(fields=["epoch"])
            tell_flows([self.pk])

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """`<epoch>.<MAC>`: Django compares it on every session request that loads the user.

        The epoch stands in clear, so that the session engine can compare it without SQL. It rises
        with each new password; the hash itself, of which Django makes this, is renewed for the same
        password as well, and all other sessions would end.
        """
        mac = salted_hmac(
            "accounts.User.session_auth_hash",
            f"{self.pk}:{self.epoch}",
            secret=secret,
            algorithm="sha256",
        )
        return f"{self.epoch}.{b64_encode(mac.digest()[:16]).decode()}"


@cache
def _columns() -> frozenset[str]:
    return frozenset(field.attname for field in User._meta.concrete_fields)


class AuthEvent(models.Model):
    """One line of the audit trail. Devices appear as ids that open nothing; secrets never."""

    class Kind(models.TextChoices):
        LOGIN = "login", "logged in"
        LOGIN_FAILED = "login_failed", "login failed"
        LOGIN_THROTTLED = "login_throttled", "login refused: too many attempts"
        REFRESH = "refresh", "refreshed"
        REUSE = "reuse", "refresh token used twice: login ended"
        LOGOUT = "logout", "logged out"
        LOGOUT_ALL = "logout_all", "logged out everywhere"
        REVOKE = "revoke", "ended a device"
        PASSWORD_CHANGED = "password_changed", "changed the password"
        LINK_SENT = "link_sent", "asked for a link by e-mail"
        SIGNUP = "signup", "signed up by an e-mailed link"
        PASSWORD_RESET = "password_reset", "set a new password by an e-mailed link"
        EMAIL_CHANGED = "email_changed", "changed the e-mail address"
        SUSPICION = "suspicion", "noticed"
        SUSPICION_ENDED = "suspicion_ended", "ended"
        TOKEN = "token", "made a token for a program"

    created = models.DateTimeField(auto_now_add=True)
    kind = models.CharField(max_length=20, choices=Kind)
    flow = models.CharField(max_length=20, blank=True)
    user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="auth_events")
    device = models.CharField(max_length=32, blank=True)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=80, blank=True)
    detail = models.CharField(max_length=120, blank=True)

    class Meta:
        ordering = ["-created", "-pk"]
        indexes = [
            models.Index(fields=["user", "-created"], name="accounts_event_by_user"),
            models.Index(fields=["created"], name="accounts_event_by_time"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} ({self.flow or 'no flow'})"

    @property
    def sentence(self) -> str:
        """What happened; why and when (UTC) where that is known: "ended: new network, 10:02"."""
        kind = self.get_kind_display()
        return f"{kind}: {self.detail}, {self.created:%H:%M}" if self.detail else kind
