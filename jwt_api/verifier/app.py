"""What does the service protect? `GET /notes/`, as a WSGI application; refusals as in RFC 6750."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

from jwt_api.verifier.keys import KeysUnavailable
from jwt_api.verifier.tokens import InvalidToken, RevocationUnknown, Verifier

logger = logging.getLogger("notes")

SCOPE = "notes:read"
REALM = 'Bearer realm="notes"'
NOTES = (
    "Your token was checked here by its signature alone.",
    "Nobody asked the site, its database or its Redis: this also works while they are away.",
    "So a token that was revoked a minute ago would have opened this as well, until it expires.",
)
NOTES_BY_DENYLIST = (
    "Your token was checked here by its signature, and by the site's denylist.",
    "The list stands in this process's memory, and Redis announces what changes: nobody was asked.",
    "So a token that was revoked a moment ago would not have opened this.",
)
RETRY_SECONDS = "30"

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Answer = tuple[str, dict[str, Any], dict[str, str]]


class NotesService:
    """The WSGI application. Any server can run it; `python -m jwt_api.verifier` brings one."""

    def __init__(self, verifier: Verifier) -> None:
        self.verifier = verifier

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        status, body, headers = self.answer(environ)
        content = json.dumps(body).encode()
        fixed = {
            "Content-Type": "application/json",
            "Content-Length": str(len(content)),
            "Cache-Control": "no-store",
        }
        start(status, [*fixed.items(), *headers.items()])
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [content]

    def answer(self, environ: dict[str, Any]) -> Answer:
        """Status line, body and headers."""
        if environ.get("PATH_INFO") != "/notes/":
            return "404 Not Found", {"error": "not_found"}, {}
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return "405 Method Not Allowed", {"error": "method_not_allowed"}, {"Allow": "GET, HEAD"}
        scheme, *rest = environ.get("HTTP_AUTHORIZATION", "").split() or [""]
        if scheme.lower() != "bearer":
            # RFC 6750, section 3.1: who shows nothing is told the scheme, and no error.
            return "401 Unauthorized", {"error": "no_token"}, {"WWW-Authenticate": REALM}
        if len(rest) != 1:
            return refused("400 Bad Request", "invalid_request")
        return self.notes(rest[0])

    def notes(self, token: str) -> Answer:
        """The notes, for a token that is good and was made for them."""
        try:
            verified = self.verifier.verify(token)
        except InvalidToken as error:
            logger.info("refused: %s", error)
            return refused("401 Unauthorized", "invalid_token")
        except KeysUnavailable:
            wait = {"Retry-After": RETRY_SECONDS}
            return "503 Service Unavailable", {"error": "keys_unavailable"}, wait
        except RevocationUnknown as error:
            logger.warning("refused for now: %s", error)
            wait = {"Retry-After": RETRY_SECONDS}
            return "503 Service Unavailable", {"error": "revocation_unknown"}, wait
        if SCOPE not in verified.scope:
            return refused("403 Forbidden", "insufficient_scope", f', scope="{SCOPE}"')
        notes = NOTES if self.verifier.is_revoked is None else NOTES_BY_DENYLIST
        body = {"reader": verified.subject, "program": verified.client, "notes": notes}
        return "200 OK", body, {}


def refused(status: str, error: str, more: str = "") -> Answer:
    """An error with its challenge (RFC 6750, section 3)."""
    return status, {"error": error}, {"WWW-Authenticate": f'{REALM}, error="{error}"{more}'}
