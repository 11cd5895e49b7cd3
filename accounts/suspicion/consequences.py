"""What follows from a verdict? An event and a line, a mail, the end of every login.

The device itself is ended by its flow, which alone can say whether it was the first to do so.
"""

from datetime import datetime

from django.db import transaction
from django.http import HttpRequest

from accounts import lifecycle
from accounts.audit import record
from accounts.models import AuthEvent, User, locked
from accounts.suspicion.notify import tell_user
from accounts.suspicion.policy import Action, Verdict

Kind = AuthEvent.Kind


def carry_out(
    request: HttpRequest, verdict: Verdict, *, flow: str, user_id: int, device: str, epoch: int
) -> None:
    """Do all that the policy says, but for ending this one device.

    `epoch` is the one that the device was started in: of many requests that would end every login,
    one does.
    """
    if verdict.action is not Action.END_ALL:
        _write_down(request, verdict, flow=flow, user_id=user_id, device=device)
        return
    with lifecycle.revoked_if_deleted(user_id), transaction.atomic():
        user = locked(pk=user_id, epoch=epoch).first()
        if user is not None:
            _write_down(request, verdict, flow=flow, user_id=user_id, device=device)
            lifecycle.end_logins(request, user, flow=flow, detail=verdict.sentence)


def _write_down(
    request: HttpRequest, verdict: Verdict, *, flow: str, user_id: int, device: str
) -> None:
    kind = Kind.SUSPICION_ENDED if verdict.action.ends else Kind.SUSPICION
    why = verdict.sentence
    record(kind, request, flow=flow, user_id=user_id, device=device, detail=why)
    if verdict.action >= Action.NOTIFY:
        tell_user(request, user_id, why, ended=verdict.action.ends)


def ended_lately(user: User, since: datetime | None) -> list[AuthEvent]:
    """Which devices were ended because of what was noticed, newest first, five at most.

    For those who have proven the password. Threat: told to whoever presents the credential, it
    would teach a thief what to imitate.
    """
    kinds = [Kind.SUSPICION_ENDED, Kind.REUSE]
    return list(user.auth_events.filter(kind__in=kinds, created__gt=since)[:5]) if since else []
