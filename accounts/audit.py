"""What happened to whose login? One row and one log line per event, without any secret."""

from django.db import Error, transaction
from django.http import HttpRequest

from accounts import security_log
from accounts.client_info import client_ip, user_agent
from accounts.models import AuthEvent

# PostgreSQL refuses more, and with the event whatever it belongs to: a name may be longer.
MOST_CHARACTERS = AuthEvent._meta.get_field("detail").max_length


def record(
    kind: AuthEvent.Kind,
    request: HttpRequest | None,
    *,
    flow: str = "",
    user_id: int | None = None,
    device: str = "",
    detail: str = "",
    store: bool = True,
) -> None:
    """Write one event. `device` is a device id, which opens nothing; never pass a secret. No
    `request` means that a command did it. Without `store` it is one line of the log and no row.

    Inside a transaction the event belongs to the change: neither happens without the
    other, and the log line is written at commit. Outside of one the change is made
    already, in Redis perhaps; a database that is away must not make its answer an
    error, so the line says `stored=false`, and an ERROR line that the trail has a gap.
    """

    def tell(stored: bool | None = True) -> None:
        security_log.event(
            kind.value,
            request,
            flow=flow,
            user_id=user_id,
            device=device,
            cause=detail,
            stored=stored,
        )

    if not store:
        tell(stored=None)
        return
    try:
        AuthEvent.objects.create(
            kind=kind,
            flow=flow,
            user_id=user_id,
            device=device,
            ip=client_ip(request) if request else None,
            user_agent=user_agent(request) if request else "",
            detail=detail[:MOST_CHARACTERS],
        )
    except Error:
        if transaction.get_connection().in_atomic_block:
            raise
        tell(stored=False)
        return
    # Robust: what is committed is done, whatever becomes of the line.
    transaction.on_commit(tell, robust=True)
