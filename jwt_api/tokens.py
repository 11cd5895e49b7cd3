"""What stands in our tokens, and which checks must one pass? SimpleJWT's classes, narrowed.

The checks run in this order: text, header, key, signature, times, issuer and
audience, type, and the shape of each claim.
"""

from __future__ import annotations

import json
import re
import secrets
from abc import abstractmethod
from datetime import timedelta
from typing import Any

import jwt
from django.conf import settings
from jwt.utils import base64url_encode
from rest_framework_simplejwt import tokens
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import (
    TokenBackendError,
    TokenBackendExpiredToken,
    TokenError,
)

from accounts.contract.checking import check
from accounts.jws import check_text
from jwt_api.keys import ring

MOST_CHARACTERS = 4096
LATEST = 32503680000  # the year 3000; Python's datetime overflows further on
REQUIRED = ["exp", "iat", "jti", "sub", "iss", "aud", "client_id"]
USER_ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
ROLE = re.compile(r"[a-z_]{1,32}", re.ASCII)
SCOPE = re.compile(r"[a-z_:]{1,32}( [a-z_:]{1,32}){0,9}", re.ASCII)
OPAQUE = re.compile(r"[A-Za-z0-9_-]{8,43}", re.ASCII)


class KeyRingBackend(TokenBackend):
    """SimpleJWT's backend with a key ring: `kid`, an explicit `typ`, and stricter reading."""

    def __init__(self, typ: str, audience: str) -> None:
        super().__init__(
            algorithm=settings.SIMPLE_JWT["ALGORITHM"],
            audience=audience,
            issuer=settings.SIMPLE_JWT["ISSUER"],
            leeway=settings.SIMPLE_JWT["LEEWAY"],
        )
        self.typ = typ

    def encode(self, payload: dict[str, Any]) -> str:
        """Sign with the ring's signing key; `iss` and `aud` are added here.

        By hand (RFC 7515, section 7.1): PyJWT wants to hold the private key itself, and the key
        of an HSM is held by nobody.
        """
        signer = ring().signing.signer
        header = {"alg": signer.algorithm, "kid": signer.kid, "typ": self.typ}
        claims = {**payload, "iss": self.issuer, "aud": self.audience}
        text = b".".join(_segment(part) for part in (header, claims))
        return b".".join((text, base64url_encode(signer.sign(text)))).decode()

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        """The claims of a token that passed; raises `TokenBackendError` for all others.

        `verify=False` skips the expiry, and nothing else: logout must accept a token
        whose time is over, never one that we did not sign.
        """
        try:
            return self._decode(_text_of(token), check_expiry=verify)
        except jwt.ExpiredSignatureError as error:
            raise TokenBackendExpiredToken("expired") from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            # Claims that are ill-typed in new ways raise in new ways. All of them are a 401.
            raise TokenBackendError(f"{type(error).__name__}: {error}"[:200]) from error

    def _decode(self, token: str, *, check_expiry: bool) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        self._check_typ(header)
        # Threat: a key that the token itself brings (`jwk`, `jku`, `x5u`) would be the attacker's.
        # Only `kid` is looked at, and only in our own ring.
        key = ring().find(header.get("kid"))
        if key is None:
            raise jwt.InvalidTokenError("unknown kid")
        signer = key.signer
        check_algorithm(header, signer.algorithm)
        return jwt.decode(
            token,
            signer.public,
            algorithms=[signer.algorithm],
            audience=self.audience,
            issuer=self.issuer,
            leeway=self.get_leeway(),
            options={"require": REQUIRED, "strict_aud": True, "verify_exp": check_expiry},
        )

    @check("typ", "Its header says that it is this kind of token (`typ`).")
    def _check_typ(self, header: dict[str, Any]) -> None:
        # Media types are case-insensitive (RFC 9068, section 4; RFC 2045, section 5.1).
        if str(header.get("typ", "")).lower() != self.typ:
            raise jwt.InvalidTokenError("wrong typ")


@check("algorithm", "Its alg is the one algorithm of that key.")
def check_algorithm(header: dict[str, Any], algorithm: str) -> None:
    if header.get("alg") != algorithm:
        raise jwt.InvalidAlgorithmError("wrong alg for this key")


def _segment(part: dict[str, Any]) -> bytes:
    return base64url_encode(json.dumps(part, separators=(",", ":")).encode())


def _text_of(token: Any) -> str:
    text = token.decode("ascii") if isinstance(token, bytes) else str(token)
    check_text(text, most=MOST_CHARACTERS)
    return text


class _Token(tokens.Token):
    """What access and refresh tokens have in common."""

    typ: str

    @property
    @abstractmethod
    def audience(self) -> str:
        """For whom the token is: the `aud` claim."""

    def get_token_backend(self) -> KeyRingBackend:
        # Made anew each time: a backend that is kept would freeze the settings.
        return KeyRingBackend(self.typ, self.audience)

    def set_jti(self) -> None:
        """128 random bits; SimpleJWT's uuid4 has 122."""
        self.payload["jti"] = secrets.token_urlsafe(16)

    def verify(self) -> None:
        self.check_shape()
        super().verify()

    def check_shape(self) -> None:
        """Refuse claims of another shape than we issue; raises `TokenError`."""
        check_claims(self.payload, client_id=settings.JWT_CLIENT_ID)

    @property
    def user_id(self) -> int:
        return int(self.payload["sub"])

    @property
    def device(self) -> str:
        return self.payload["sid"]


@check("claims", "Every claim has the shape in which we issue it.")
def check_claims(payload: dict[str, Any], *, client_id: object) -> None:
    """Refuse claims of another shape than we issue, before anything looks at them.

    Threat: stock classes pass them on, and a list as `sub` becomes a 500, or worse.
    """
    well_formed = (
        _matches(USER_ID, payload.get("sub"))
        and _matches(OPAQUE, payload.get("jti"))
        and _matches(OPAQUE, payload.get("sid"))
        and type(payload.get("epoch")) is int
        and type(payload.get("exp")) is int
        and payload["exp"] < LATEST
        and type(payload.get("iat")) is int
        and payload.get("client_id") == client_id
    )
    roles = payload.get("roles", [])
    if not well_formed or not isinstance(roles, list) or not all(_matches(ROLE, r) for r in roles):
        raise TokenError("ill-typed claim")


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


class AccessToken(_Token, tokens.AccessToken):
    """Who somebody is, for minutes: `sub`, `roles`, `epoch`, and `sid`, the device.

    RFC 9068: `typ: at+jwt`, and `client_id` among the claims. No personal data.
    """

    typ = "at+jwt"
    token_type = "at"  # noqa: S105  # a word, not a password; short, as in `typ`

    @property
    def lifetime(self) -> timedelta:  # type: ignore[override]
        # A property, because SimpleJWT's class attribute is frozen at import.
        return settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"]

    @property
    def audience(self) -> str:
        return settings.SIMPLE_JWT["AUDIENCE"]


class ProgramAccessToken(AccessToken):
    """What an outside program may do for its user, for days: `scope`, and no roles.

    Its audience is its own: no service that takes a login's access token takes one of these,
    and the other way round. `client_id` is the program, which is `sid`, the device, too.
    """

    token_type = "pt"  # noqa: S105  # a word, not a password

    @property
    def lifetime(self) -> timedelta:  # type: ignore[override]
        return timedelta(seconds=settings.PROGRAM_TOKEN_SECONDS)

    @property
    def audience(self) -> str:
        return settings.JWT_PROGRAM_AUDIENCE

    @property
    def scope(self) -> frozenset[str]:
        """What it may do; unknown words in it open nothing."""
        return frozenset(self.payload["scope"].split())

    def check_shape(self) -> None:
        check_claims(self.payload, client_id=self.payload.get("sid"))
        if not _matches(SCOPE, self.payload.get("scope")) or "roles" in self.payload:
            raise TokenError("ill-typed claim")


class RefreshToken(_Token, tokens.Token):
    """The right to the next access token, once. Its family (`sid`) is a row in the database.

    Its audience is the issuer itself: no service that takes access tokens can be
    handed one of these by mistake.
    """

    typ = "rt+jwt"
    token_type = "rt"  # noqa: S105  # a word, not a password

    @classmethod
    def even_expired(cls, text: str) -> RefreshToken:
        """Read a token of ours whose time may be over; raises `TokenError` for all others."""
        token = cls(text, verify=False)  # type: ignore[arg-type]
        token.check_shape()
        token.verify_token_type()
        return token

    @property
    def lifetime(self) -> timedelta:  # type: ignore[override]
        return settings.SIMPLE_JWT["REFRESH_TOKEN_LIFETIME"]

    @property
    def audience(self) -> str:
        return settings.SIMPLE_JWT["ISSUER"]
