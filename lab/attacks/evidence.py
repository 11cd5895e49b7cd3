"""What may be shown of a request and its answer? All but the secrets, which are shortened."""

from __future__ import annotations

import re
from collections.abc import Iterable

import httpx

from lab.attacks.attack import Exchange

MOST_CHARACTERS = 400
# What tells something; the others are the same with every answer.
SHOWN_HEADERS = {
    "accept",
    "allow",
    "authorization",
    "cache-control",
    "content-type",
    "cookie",
    "location",
    "origin",
    "retry-after",
    "set-cookie",
    "vary",
    "www-authenticate",
    "x-csrftoken",
    "x-forwarded-for",
}
# Whatever is long enough to be a secret, and looks random. All of ours are longer than this: the
# passwords of a stage, too.
OPAQUE = re.compile(r"[A-Za-z0-9_+-]{22,}")
LEFT_OF_IT = 6


def exchange_of(
    who: str, note: str, request: httpx.Request, response: httpx.Response | None
) -> Exchange:
    """One request and its answer; None: there was none."""
    return Exchange(
        who=who,
        method=request.method,
        url=shown(str(request.url)),
        note=note,
        status=response.status_code if response is not None else 0,
        request_headers=_headers(request.headers.multi_items()),
        request_body=_body(request.content),
        response_headers=_headers(response.headers.multi_items()) if response is not None else (),
        response_body=_body(response.content) if response is not None else "",
    )


def shown(text: str) -> str:
    """The text with the beginnings of its secrets alone, and not longer than anybody reads."""
    short = OPAQUE.sub(lambda found: f"{found[0][:LEFT_OF_IT]}…", text)
    return short if len(short) <= MOST_CHARACTERS else f"{short[:MOST_CHARACTERS]}…"


def _headers(items: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, shown(value)) for name, value in items if name.lower() in SHOWN_HEADERS)


def _body(content: bytes) -> str:
    if len(content) > 10 * MOST_CHARACTERS:
        return f"({len(content)} bytes) {shown(content[:MOST_CHARACTERS].decode(errors='replace'))}"
    return shown(content.decode(errors="replace"))
