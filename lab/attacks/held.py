"""Which line of our code held? The one that says what the server's log says of the refusal.

Every refusal leaves its cause in the log. Here each cause is led back to the running function that
gives it; file and line come from that function, never from a number that somebody wrote down.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from accounts import jws, lifecycle, throttling
from accounts.contract import csrf, parsers
from accounts.contract.views import ContractView
from accounts.cookies import CookieTossingMiddleware
from jwt_api import flow as jwt_flow
from jwt_api import revocation, tokens
from jwt_api import store as token_store
from jwt_api.authentication import Authentication
from lab.attacks.attack import SESSIONS, TOKENS, Exchange, Source
from lab.strategies import Strategy, database_sessions
from lab.syntax import reading
from sessions_api import engine
from sessions_api import store as session_store

EVERY = (*SESSIONS, *TOKENS)
IN_REDIS = ("session-redis", "session-push")
IN_SQL = ("session-database",)


@dataclass(frozen=True)
class Line:
    """`cause` is a regular expression for the log's word, `mark` stands in the line that is meant.

    `keys`: for which strategies; a word such as "epoch" is said in more than one place.
    """

    cause: str
    function: Callable[..., Any]
    mark: str
    keys: tuple[str, ...] = EVERY
    paths: str = ""
    """A regular expression for the path, where the place depends on the call."""


def _session(function: Any, database: Any, cause: str, mark: str) -> tuple[Line, Line]:
    return (Line(cause, function, mark, IN_REDIS), Line(cause, database, mark, IN_SQL))


decode = tokens.KeyRingBackend._decode
LINES = (
    Line("not the text of a token", jws.check_text, "not the text of a token"),
    Line("not UTF-8", jws.check_text, "not UTF-8"),
    Line("wrong typ", tokens.KeyRingBackend._check_typ, "wrong typ"),
    Line("unknown kid", decode, "unknown kid"),
    Line("wrong alg", tokens.check_algorithm, "wrong alg for this key"),
    Line("Invalid header|Invalid crypto|Invalid payload", decode, "get_unverified_header"),
    Line("Signature verification|Unsupported critical|crit", decode, "return jwt.decode("),
    Line("[Ii]ssuer", decode, "issuer=self.issuer"),
    Line("[Aa]udience", decode, "audience=self.audience"),
    Line("missing the|DecodeError|InvalidIssuedAt|InvalidJTI|InvalidSub|Imma", decode, "options="),
    Line("ill-typed claim", tokens.check_claims, "ill-typed claim"),
    Line("^(access|refresh) token$", decode, "verify_exp"),
    Line("is not valid|Token has|wrong type", tokens._Token.verify, "super().verify()"),
    Line("(access|refresh) token:", tokens.KeyRingBackend.decode, "raise TokenBackendError("),
    Line("refresh token reused", token_store.rotate, 'CredentialReused("refresh token reused")'),
    Line("family ended", token_store._family_of, "family ended"),
    Line("unknown family", token_store._family_of, "unknown family"),
    Line("epoch, or inactive", token_store._family_of, "epoch, or inactive"),
    Line("absolute lifetime", token_store._family_of, "absolute lifetime", TOKENS),
    Line("absolute lifetime", engine.SessionStore._over, "absolute lifetime", SESSIONS),
    Line("ended meanwhile", jwt_flow.Flow._end_reused, "ended meanwhile"),
    Line("on the denylist", revocation._roles_by_denylist, "on the denylist"),
    Line("ended before the denylist", revocation.check_row, "ended before the denylist began"),
    Line(
        "epoch, inactive",
        lifecycle.current_user,
        "epoch, inactive or deleted",
        EVERY,
        "/(me|devices|password|logout-all)/",
    ),
    Line("epoch, inactive", engine.SessionStore._ended, "epoch, inactive", IN_REDIS),
    Line("epoch, inactive", database_sessions.admit, "epoch, inactive", IN_SQL),
    Line("epoch, inactive", revocation._roles_by_denylist, "epoch, inactive", TOKENS),
    *_session(
        session_store.why_gone, database_sessions.why_gone, "session was ended", "session was ended"
    ),
    *_session(
        session_store.why_gone, database_sessions.why_gone, "unknown session", "unknown session id"
    ),
    Line("absolute time is over", database_sessions.why_gone, "idle or absolute", IN_SQL),
    Line("idle time is over", session_store.why_gone, "idle time is over", IN_REDIS),
    Line("two refreshes old", session_store._last_of, "two refreshes old", IN_REDIS),
    Line("two refreshes old", database_sessions.Flow.renew, "two refreshes old", IN_SQL),
    Line("successor was ended", session_store._last_of, "successor was ended", IN_REDIS),
    Line("unreadable record", engine.SessionStore._gone, "unreadable record", IN_REDIS),
    Line("unreadable record", database_sessions.why_gone, "unreadable record", IN_SQL),
    Line("malformed session", engine.SessionStore._misshapen, "malformed session id", IN_REDIS),
    Line("malformed session", database_sessions.Flow.presented_id, "malformed session id", IN_SQL),
    Line("name different users", engine.SessionStore._mistaken, "name different", IN_REDIS),
    Line("redis:", session_store.store_errors.__exit__, "StoreUnavailable", IN_REDIS),
    Line("redis:", revocation.roles_now, "StoreUnavailable", TOKENS),
    Line("login-limit", throttling._count, "raise Throttled("),
    Line("our cookies twice", CookieTossingMiddleware.__call__, "our cookies twice"),
    Line("another method", Authentication.authenticate, "another method"),
    Line("CSRF|csrf|Referer|Origin", csrf.enforce_csrf, "raise CsrfFailed"),
    Line("deleted meanwhile", lifecycle.revoked_if_deleted, "deleted meanwhile"),
    Line("^not_authenticated", ContractView.prove_authority, "perform_authentication"),
    Line("session ended while writing", engine.SessionStore.save, "raise UpdateError"),
    Line("parse_error", parsers.JSONParser.parse, "raise ParseError"),
    Line("limits", throttling._count, "StoreUnavailable"),
)


def source_of(function: Callable[..., Any], mark: str = "") -> Source:
    """Where a running function stands, or the line in it with the `mark`; raises `LookupError`."""
    unwrapped = inspect.unwrap(function)
    with reading:
        lines, first = inspect.getsourcelines(unwrapped)
    path = Path(inspect.getsourcefile(unwrapped) or "").resolve()
    for offset, line in enumerate(lines):
        if mark in line:
            shown = path.relative_to(Path(settings.BASE_DIR).resolve()).as_posix()
            return Source(shown, first + offset, unwrapped.__qualname__)
    raise LookupError(f"{mark!r} does not stand in {unwrapped.__qualname__}")


def held_by(evidence: Iterable[Exchange], strategy: Strategy) -> Source | None:
    """The place that refused the attacker most often, the last one of these; None: nobody knows."""
    refused = [each for each in evidence if each.cause and each.who == "mallory"]
    found = [line for each in reversed(refused) if (line := _line_of(each, strategy))]
    if not found:
        return None
    line = max(found, key=found.count)
    return source_of(line.function, line.mark)


def _line_of(exchange: Exchange, strategy: Strategy) -> Line | None:
    for line in LINES:
        fits = strategy.key in line.keys and re.search(line.paths, exchange.url)
        if fits and re.search(line.cause, exchange.cause):
            return line
    return None
