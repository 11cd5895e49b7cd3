"""What may a log line say? One form for everything that logs here, and no secret in any of it.

`formatter` is the one formatter of `LOGGING`: ours, Django's and gunicorn's lines pass
through it. Our own lines name only what may be known; what others write is free text,
so query strings, logins in URLs and everything shaped like a secret are taken out of it.
"""

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from structlog.stdlib import ProcessorFormatter
from structlog.typing import Processor

Line = MutableMapping[str, Any]

MOST_CHARACTERS = 300
FREE_TEXT = ("event", "cause", "path", "user_agent")
# Threat: `?access_token=…` is ignored (RFC 6750, section 2.3), and still nobody's to read.
QUERY_STRING = re.compile(r"\?[^\s'\"<>]+")
LOGIN_IN_URL = re.compile(r"://\S*@")
# Session ids, each part of a token, CSRF tokens, keys: all have 32 characters or more. Long names
# of functions are spared.
SECRET_SHAPED = re.compile(r"(?<![\w+=-])(?![a-z_]+(?![\w+=-]))[\w+=-]{32,}", re.ASCII)
# Threat: a line break or an escape sequence in a path would forge lines, or colour a terminal.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def formatter(shape: str) -> ProcessorFormatter:
    """The formatter of `LOGGING`; `shape` is `json` (one object per line) or `text`."""
    renderer: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    moment = structlog.processors.TimeStamper(fmt="iso", utc=True)
    if shape == "text":
        moment = structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S", utc=False)
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            pad_event_to=0,
            sort_keys=False,
            exception_formatter=structlog.dev.plain_traceback,
        )
    return ProcessorFormatter(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            moment,
            _describe_request,
            _describe_error,
            _hide_secrets,
            ProcessorFormatter.remove_processors_meta,
            renderer,
        ]
    )


class NotToldYet(logging.Filter):
    """Leaves out what Django says of a refusal whose own line says more (`security_log`)."""

    def filter(self, record: logging.LogRecord) -> bool:
        told = getattr(getattr(record, "request", None), "told_status", None)
        return told is None or told != getattr(record, "status_code", None)


def shown_path(request: HttpRequest) -> str:
    """The path; where it has variable parts, such as a device's id, the route instead."""
    match = getattr(request, "resolver_match", None)
    return f"/{match.route}" if match is not None else request.path


def hide_secrets(text: str) -> str:
    """The text without what may be a secret, and without what would forge another line."""
    text = QUERY_STRING.sub("?…", LOGIN_IN_URL.sub("://…@", text))
    return CONTROL.sub("�", SECRET_SHAPED.sub("…", text))[:MOST_CHARACTERS]


def _hide_secrets(logger: Any, name: str, line: Line) -> Line:
    for key in FREE_TEXT:
        if isinstance(line.get(key), str):
            line[key] = hide_secrets(line[key])
    return line


def _describe_request(logger: Any, name: str, line: Line) -> Line:
    """Django's own lines carry the request, and its path in their text."""
    request = getattr(line["_record"], "request", None)
    if isinstance(request, HttpRequest):
        line["event"] = str(line["event"]).partition(": /")[0]
        line["path"] = shown_path(request)
        line["status"] = getattr(line["_record"], "status_code", None)
        # Surprise: Django logs a refusal after the last middleware is left.
        line.setdefault("request_id", getattr(request, "request_id", None))
    return line


def _describe_error(logger: Any, name: str, line: Line) -> Line:
    raised = line.pop("exc_info", None)
    error = raised[1] if isinstance(raised, tuple) else raised
    if isinstance(error, BaseException):
        line["exception"] = where_it_broke(error)
    return line


def where_it_broke(error: BaseException) -> str:
    """Each exception's type, and the lines that led to it; neither variables nor messages.

    Threat: an exception quotes what it choked on. A failed look-up in a template quotes the
    whole context, PostgreSQL the whole row, a `KeyError` the key. Who needs the message
    sets DEBUG=1 on a machine of their own: Django's debug page shows it.
    """
    told: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(told) < 10:
        kind = f"{type(cause).__module__}.{type(cause).__qualname__}"
        if isinstance(cause, ImproperlyConfigured):  # written for the operator, and nobody else
            kind += f": {hide_secrets(str(cause))}"
        told.append("".join(traceback.format_tb(cause.__traceback__)) + kind)
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n\nwhich led to:\n\n".join(reversed(told))
