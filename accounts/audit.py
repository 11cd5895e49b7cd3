"""What happened to whose login? One row and one log line per event, without any secret."""

import logging

from django.http import HttpRequest

from accounts.client_info import client_ip, user_agent
from accounts.models import AuthEvent

logger = logging.getLogger("authdemo.audit")


def record(
    kind: AuthEvent.Kind,
    request: HttpRequest | None,
    *,
    flow: str = "",
    user_id: int | None = None,
    device: str = "",
    detail: str = "",
) -> None:
    """Write one event. `device` is a device id, which opens nothing; never pass a secret.

    No `request` means that a command did it.
    """
    AuthEvent.objects.create(
        kind=kind,
        flow=flow,
        user_id=user_id,
        device=device,
        ip=client_ip(request) if request else None,
        user_agent=user_agent(request) if request else "",
        detail=detail,
    )
    logger.info("event=%s flow=%s user=%s device=%s", kind, flow, user_id, device)
