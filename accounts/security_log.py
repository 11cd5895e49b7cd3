"""What does an operator read about the logins? One structured line per event and per refusal.

    {"event": "logout", "flow": "jwt", "user_id": 7, "device": "5ab1c0…", "ip": "192.0.2.1",
     "user_agent": "Firefox on Linux", "path": "/api/jwt/logout/", "stored": true,
     "request_id": "…", "level": "info", "timestamp": "…"}

`event` is a kind of `AuthEvent`, `refused`, or one of the few below. Written here is also
counted here (`accounts.metrics`). A device appears as a keyed digest; to find the lines
of one, take its id from the audit trail in the admin:

    python manage.py shell -c \
        "from accounts.security_log import hashed_device as digest; print(digest('<id>'))"
"""

from __future__ import annotations

import logging
from typing import Any

import structlog
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from accounts import metrics
from accounts.client_info import client_ip, user_agent
from accounts.log_format import shown_path

# Wrapped here, instead of by structlog's global configuration: who lifts this app into a project
# of theirs keeps their own.
logger: structlog.stdlib.BoundLogger = structlog.wrap_logger(
    logging.getLogger("authdemo.security"),
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
)

# Somebody attacks, or a client is broken: visible at LOG_LEVEL=WARNING too.
WARNINGS = {"reuse", "login_throttled", "suspicion_ended"}


def hashed_device(device: str) -> str:
    """16 hex digits in a device's place: the same for every line of it, and no way back.

    A device id opens nothing. But logs travel further than the database, and an id that
    stands in both would tie the two together. Keyed by SECRET_KEY: a new key, new digests.
    """
    if not device:
        return ""
    return salted_hmac("accounts.security_log.device", device, algorithm="sha256").hexdigest()[:16]


def event(
    kind: str,
    request: HttpRequest | None,
    *,
    flow: str,
    user_id: int | None,
    device: str,
    cause: str,
    stored: bool | None,
) -> None:
    """Tell of one event, and count it. `stored` says whether the audit trail has it too; None,
    that it was not meant to.
    """
    metrics.count_event(kind, flow)
    fields = _known(flow=flow, user_id=user_id, device=hashed_device(device), cause=cause)
    fields |= _of(request) | _known(stored=stored)
    logger.log(logging.WARNING if kind in WARNINGS else logging.INFO, kind, **fields)
    if stored is False:
        metrics.count_store_error("database", flow)
        logger.error("audit_event_not_stored", kind=kind, **fields)


def refusal(
    request: HttpRequest | None, *, status: int, code: str, cause: str, store: str = ""
) -> None:
    """Tell of one refusal, and count it; `store` names the one that was away."""
    flow = _flow_of(request)
    metrics.count_refusal(code, flow)
    if store:
        metrics.count_store_error(store, flow)
    # What the credential of the request has proven, if one was accepted before the refusal.
    presented = getattr(request, "auth", None)
    fields = _known(
        status=status,
        code=code,
        cause=cause,
        store=store,
        flow=flow,
        user_id=getattr(presented, "user_id", None),
        device=hashed_device(getattr(presented, "device", "")),
    )
    fields |= _of(request)
    if request is not None:
        request.told_status = status  # type: ignore[attr-defined]  # see log_format.NotToldYet
    logger.log(logging.ERROR if status >= 500 else logging.INFO, "refused", **fields)


def note(happened: str, **fields: Any) -> None:
    """Tell of something that no request has done, such as a signing key that appeared."""
    logger.info(happened, **fields)


def problem(happened: str, **fields: Any) -> None:
    """Tell of something that an operator must mend, such as a mail server that refuses."""
    logger.error(happened, **fields)


def _of(request: HttpRequest | None) -> dict[str, Any]:
    if request is None:
        return {}
    return _known(
        ip=client_ip(request),
        user_agent=user_agent(request),
        path=shown_path(request),
        request_id=getattr(request, "request_id", None),
    )


def _flow_of(request: HttpRequest | None) -> str:
    """The flow that the request's view was mounted with, if it is a view of one."""
    view = getattr(getattr(request, "resolver_match", None), "func", None)
    given = getattr(view, "view_initkwargs", {}).get("flow")
    flow = given or getattr(getattr(view, "view_class", None), "flow", None)
    return getattr(flow, "key", "")


def _known(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in ("", None)}
