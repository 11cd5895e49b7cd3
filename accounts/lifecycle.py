"""What happens at login, logout, password change? The use cases, for every flow and every door.

The contract's views and the server-rendered pages both come through here, so that
an event is recorded, and an epoch raised, whichever door was taken.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.auth import authenticate
from django.db import DatabaseError, OperationalError, transaction
from django.http import HttpRequest
from django.middleware.csrf import rotate_token

from accounts.audit import record
from accounts.backends import user_called
from accounts.contract.checking import check
from accounts.contract.errors import CredentialRevoked, Throttled
from accounts.contract.flow import Credential, Device, Flow, Presented
from accounts.contract.registry import keepers
from accounts.known_devices import known_device
from accounts.models import AuthEvent, User, locked
from accounts.suspicion.history import History, sighting_of
from accounts.suspicion.notify import tell_user
from accounts.suspicion.policy import Action, Verdict, judge
from accounts.suspicion.rules import Use

Kind = AuthEvent.Kind


@contextmanager
def revoked_if_deleted(user_id: int) -> Iterator[None]:
    """Raise `CredentialRevoked` for what cannot be written because the user has just been deleted.

    A row that names a user who is gone is refused by the database, each kind of row with an
    error of its own, and the user's own row is not found. That the user is gone is what they have
    in common.
    """
    try:
        yield
    except (DatabaseError, User.DoesNotExist) as error:
        away = isinstance(error, OperationalError)
        if away or User.objects.filter(pk=user_id).exists():
            raise
        raise CredentialRevoked("deleted meanwhile") from error


def prove_password(request: HttpRequest, *, username: str, password: str, flow: str) -> User | None:
    """The user, if the password is right; None, and an event, if not.

    Raises `Throttled` when too many attempts were made on the account or from the network.
    """
    try:
        user = authenticate(request, username=username, password=password)
    except Throttled as throttled:
        # Threat: a row for each of them would let anybody fill the database, at no cost to them.
        record(Kind.LOGIN_THROTTLED, request, flow=flow, store=throttled.is_first)
        raise
    if user is None:
        # The owner of the account sees it among the recent activity. The look-up is made for
        # unknown names too, so that the time tells nothing.
        owner = user_called(username)
        record(Kind.LOGIN_FAILED, request, flow=flow, user_id=owner.pk if owner else None)
    assert user is None or isinstance(user, User)
    return user


def log_in(request: HttpRequest, flow: Flow, user: User) -> Credential:
    """Start a device of `flow` for a user whose password was just proven."""
    verdict = judge_login(request, user)
    with revoked_if_deleted(user.pk):
        credential = flow.issue(request, user)
    # Threat: an attacker who planted the CSRF cookie before the login would know it after.
    rotate_token(request)
    device, why = credential.device, verdict.sentence
    record(Kind.LOGIN, request, flow=flow.key, user_id=user.pk, device=device, detail=why)
    if verdict.action >= Action.NOTIFY:
        tell_user(request, user.pk, why, ended=False, user=user)
    return credential


def judge_login(request: HttpRequest, user: User) -> Verdict:
    """What is odd about a login whose password was right. It is told of, and never refused."""
    seen = sighting_of(request)
    if user.last_login is None or known_device(request, user.username) is not None:
        return judge(History(), Use(seen))
    failures = user.auth_events.filter(kind=Kind.LOGIN_FAILED, created__gt=user.last_login)
    return judge(History(), Use(seen, new_device=True, failed_logins=failures.count()))


def renew(request: HttpRequest, flow: Flow) -> Credential:
    """Exchange the request's long-lived secret for a fresh one of the same device."""
    credential = flow.renew(request)
    record(
        Kind.REFRESH,
        request,
        flow=flow.key,
        user_id=credential.user_id,
        device=credential.device,
    )
    return credential


def log_out(request: HttpRequest, flow: Flow) -> None:
    """End the device that the request belongs to; nothing to end is fine."""
    ended = flow.revoke(request)
    if ended is not None:
        record(Kind.LOGOUT, request, flow=flow.key, user_id=ended.user_id, device=ended.device)


def log_out_everywhere(request: HttpRequest, flow: Flow, user: User) -> None:
    """End every device of the user in both flows."""
    end_logins(request, user, flow=flow.key)


def end_logins(
    request: HttpRequest | None, user: User, *, flow: str = "", detail: str = ""
) -> None:
    """End every device of the user in both flows, whoever asked; the event goes with it.

    Raises `CredentialRevoked` for a user who has just been deleted.
    """
    with revoked_if_deleted(user.pk), transaction.atomic():
        user.raise_epoch()
        record(Kind.LOGOUT_ALL, request, flow=flow, user_id=user.pk, detail=detail)


def change_password(request: HttpRequest, flow: Flow, user: User, password: str) -> Credential:
    """Set the password, end every device in both flows, and issue this one anew.

    All of it or nothing: a 503 after the password was changed would have its user try the
    old one once more.
    """
    user.set_password(password)  # before the transaction: it takes long, and others wait
    with revoked_if_deleted(user.pk), transaction.atomic():
        # Threat: whoever has a stolen login and the old password would undo by it the reset, the
        # logout-all or the deactivation that came while the new one was hashed.
        if locked(pk=user.pk, is_active=True, epoch=user.epoch).first() is None:
            raise CredentialRevoked("epoch, inactive or deleted")
        user.save(update_fields=["password"])  # raises the epoch
        record(Kind.PASSWORD_CHANGED, request, flow=flow.key, user_id=user.pk)
        return flow.issue(request, user)


def rename(user: User, display_name: str) -> None:
    """Write the one thing about themselves that a user can change here."""
    user.display_name = display_name
    with revoked_if_deleted(user.pk):
        # Of the whole row only this column: nothing that changed meanwhile is put back.
        user.save(update_fields=["display_name"])


@check("user's row", "The row says that its user may log in, and has not ended all logins since.")
def current_user(presented: Presented) -> User:
    """The row, as it is now, of the user whom a credential names; or `CredentialRevoked`.

    A stateless credential can be older than a logout-all; whoever reads the row anyway
    compares the epoch, which costs nothing.
    """
    user = User.objects.filter(pk=presented.user_id).first()
    if user is None or not user.is_active or user.epoch != presented.epoch:
        raise CredentialRevoked("epoch, inactive or deleted")
    return user


def devices(user: User) -> list[Device]:
    """The user's live devices of both flows, newest use first."""
    found = [device for flow in keepers() for device in flow.devices(user.pk)]
    return sorted(found, key=lambda device: device.last_seen, reverse=True)


def end_device(request: HttpRequest, user: User, device: str) -> bool:
    """End one device of the user, whichever flow it belongs to; False if there is none."""
    for flow in keepers():
        if flow.revoke_device(user.pk, device):
            record(Kind.REVOKE, request, flow=flow.key, user_id=user.pk, device=device)
            return True
    return False
