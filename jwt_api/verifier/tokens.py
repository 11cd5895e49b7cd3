"""Is this token genuine, for us, and still good? Checked by its signature and its claims alone.

The rules are those of `jwt_api.tokens` on the issuer's side (RFC 8725, RFC 9068); nothing of it
is imported, since another service would have none of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.utils import base64url_decode

from jwt_api.verifier.keys import KnownKeys

LEEWAY_SECONDS = 30
REQUIRED = ["exp", "iat", "jti", "sub", "iss", "aud", "client_id"]
TEXT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
MOST_CHARACTERS = 4096
NAME = re.compile(r"[A-Za-z0-9_.~@-]{1,64}", re.ASCII)


class InvalidToken(Exception):
    """Malformed, forged, expired, revoked as far as is known, or meant for somebody else."""


class Unsure(Exception):
    """Whether a token was revoked cannot be told now."""


class RevocationUnknown(Exception):
    """All is right with the token, and whether it was revoked cannot be known now."""


@dataclass(frozen=True)
class Verified:
    """What a token that passed says: whose it is, which program's, and what it may do."""

    subject: str
    client: str
    scope: frozenset[str]


@dataclass(frozen=True)
class Verifier:
    """Whom to believe: one issuer, by its keys, as far as it speaks to this audience.

    `is_revoked` says of the claims of a good token whether it was revoked, or raises `Unsure`;
    then `accepts_unsure` decides. Without it a token is good until it expires.
    """

    keys: KnownKeys
    issuer: str
    audience: str
    is_revoked: Callable[[dict[str, Any]], bool] | None = None
    accepts_unsure: bool = False

    def verify(self, text: str) -> Verified:
        """Raises `InvalidToken`; `KeysUnavailable`, `RevocationUnknown` where nobody can tell."""
        try:
            claims = self._claims(text)
            found = verified(claims)
            self._check_revocation(claims)
            return found
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise InvalidToken(type(error).__name__) from error

    def _check_revocation(self, claims: dict[str, Any]) -> None:
        if self.is_revoked is None:
            return
        try:
            if self.is_revoked(claims):
                raise InvalidToken("revoked")
        except Unsure as error:
            if not self.accepts_unsure:
                raise RevocationUnknown(str(error)) from error

    def _claims(self, text: str) -> dict[str, Any]:
        check_text(text)
        header = jwt.get_unverified_header(text)
        if str(header.get("typ", "")).lower() not in ("at+jwt", "application/at+jwt"):
            raise jwt.InvalidTokenError("not an access token")
        # Threat: `jwk`, `jku` and `x5u` would be the attacker's. Only `kid` is looked at, and
        # only to find a key of the issuer; the key says which algorithm it is for.
        kid = header.get("kid")
        key = self.keys.find(kid) if isinstance(kid, str) else None
        if key is None:
            raise jwt.InvalidTokenError("unknown key")
        return jwt.decode(
            text,
            key,
            algorithms=[key.algorithm_name],
            issuer=self.issuer,
            audience=self.audience,
            leeway=LEEWAY_SECONDS,
            options={"require": REQUIRED, "strict_aud": True},
        )


def check_text(text: str) -> None:
    """Refuse what PyJWT would take: padding, white space, UTF-16 (RFC 8725, section 3.7)."""
    if len(text) > MOST_CHARACTERS or TEXT.fullmatch(text) is None:
        raise jwt.DecodeError("not the text of a token")
    for segment in text.split(".")[:2]:
        if "\0" in base64url_decode(segment).decode("utf-8"):
            raise jwt.DecodeError("not UTF-8")


def verified(claims: dict[str, Any]) -> Verified:
    """The claims that are acted on, if they have the shape that the issuer gives them."""
    scope = claims.get("scope", "")
    named = [claims["sub"], claims["client_id"], claims.get("sid", claims["client_id"])]
    if not isinstance(scope, str) or not all(
        isinstance(each, str) and NAME.fullmatch(each) for each in named
    ):
        raise jwt.InvalidTokenError("ill-typed claim")
    return Verified(subject=named[0], client=named[1], scope=frozenset(scope.split()))
