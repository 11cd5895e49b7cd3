"""What stands in an e-mailed link, and which checks must one pass? A JWT, good for one thing, once.

Why not signed by the key ring of the jwt flow: nobody but this site ever reads it, so that there is
no public key to hand out, and it must work where that flow is deleted. HS256, with a key that is
derived from SECRET_KEY for this and nothing else.

Nothing is stored for a link. It is bound to the state of the account that using it changes
(`state_of`): used once, it fits no more. A sign-up link is bound to there being no account.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import Any

import jwt
from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.jws import check_text
from accounts.models import User

TYP = "link+jwt"
ALGORITHM = "HS256"
MOST_CHARACTERS = 2048
LATEST = 32503680000  # the year 3000
CLAIMS = {"iss", "aud", "sub", "iat", "exp", "jti", "state", "email"}

EXPIRED = "This link was good for some time, and that is over."
INVALID = "This link is not one of ours, or a part of it was lost on the way."
OTHER_KIND = "This link is for something else."
USED = "This link was used already, or what it was made for has changed since."
HAS_ACCOUNT = "This link was used already, or its address has an account by now."
TAKEN = "This address belongs to another account by now."
OTHER_USER = (
    "This link belongs to another account than the one you are logged in with. Log out first, and "
    "open it again."
)


class LinkRefused(Exception):
    """The link opens nothing. `sentence` is for its visitor, `cause` for the log."""

    def __init__(self, sentence: str, cause: str) -> None:
        super().__init__(cause)
        self.sentence, self.cause = sentence, cause


@dataclass(frozen=True)
class Link:
    """What a link says that passed. `subject` is an address at sign-up, else a user's number.

    `email` is the address that it was sent to.
    """

    subject: str
    email: str
    state: str


def state_of(user: User, secret: str | None = None) -> str:
    """What a link to this user is bound to: it differs after the link was used.

    Keyed, so that the link does not tell. The time of the last used link is among it, because an
    address could be changed there and back again, and would be the same.
    """
    parts = (user.pk, user.username, user.email, user.email_verified, user.epoch)
    text = "|".join(map(str, parts))
    mac = salted_hmac("accounts.links.state", text, secret=secret, algorithm="sha256")
    return mac.hexdigest()[:32]


def make(purpose: str, *, subject: str, email: str, state: str = "") -> str:
    """A token for a link; `purpose` is a key of `LINK_SECONDS`."""
    now = int(time.time())
    claims = {
        "iss": settings.SIMPLE_JWT["ISSUER"],
        "aud": f"{purpose}-link",
        "sub": subject,
        "email": email,
        "state": state,
        "iat": now,
        "exp": now + settings.LINK_SECONDS[purpose],
        "jti": secrets.token_urlsafe(16),
    }
    return jwt.encode(claims, _key(settings.SECRET_KEY), algorithm=ALGORITHM, headers={"typ": TYP})


def read(purpose: str, text: str) -> Link:
    """What the link says, if it is one of ours, for this, and its time is not over.

    Raises `LinkRefused`. Whether it was used before is asked of the database: see `by_mail`.
    """
    try:
        claims = _decode(text, f"{purpose}-link")
    except jwt.ExpiredSignatureError as error:
        raise LinkRefused(EXPIRED, "expired") from error
    except jwt.InvalidAudienceError as error:
        raise LinkRefused(OTHER_KIND, "other kind") from error
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise LinkRefused(INVALID, type(error).__name__) from error
    return Link(subject=claims["sub"], email=claims["email"], state=claims["state"])


def assert_fits(link: Link, user: User | None) -> User:
    """The user, if the state is still the one that the link was made for; or `LinkRefused`."""
    if user is None or not user.is_active or not _fits(link, user):
        raise LinkRefused(USED, "used, or the account has changed")
    return user


def _fits(link: Link, user: User) -> bool:
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(constant_time_compare(link.state, state_of(user, key)) for key in keys)


def _decode(text: str, audience: str) -> dict[str, Any]:
    check_text(text, most=MOST_CHARACTERS)
    if jwt.get_unverified_header(text) != {"typ": TYP, "alg": ALGORITHM}:
        raise jwt.InvalidTokenError("another header than ours")
    claims: dict[str, Any] = jwt.decode(
        text,
        _key_of(text),
        algorithms=[ALGORITHM],
        audience=audience,
        issuer=settings.SIMPLE_JWT["ISSUER"],
        leeway=settings.LEEWAY_SECONDS,
        options={"require": sorted(CLAIMS), "strict_aud": True},
    )
    if not _well_formed(claims):
        raise jwt.InvalidTokenError("ill-typed claim")
    return claims


def _well_formed(claims: dict[str, Any]) -> bool:
    words = (claims[name] for name in ("sub", "email", "state", "jti"))
    times = (claims["iat"], claims["exp"])
    return (
        claims.keys() == CLAIMS
        and all(isinstance(word, str) for word in words)
        and all(type(moment) is int and moment < LATEST for moment in times)
    )


def _key_of(text: str) -> bytes:
    """The key that signed it: a link that was sent goes on while SECRET_KEY is being changed."""
    for secret in settings.SECRET_KEY_FALLBACKS:
        try:
            jwt.api_jws.decode(text, _key(secret), algorithms=[ALGORITHM])
        except jwt.InvalidTokenError:
            continue
        return _key(secret)
    return _key(settings.SECRET_KEY)


def _key(secret: str) -> bytes:
    """256 bits for links and nothing else.

    Threat: signed with SECRET_KEY itself, a token would be a forgery in every other place that
    signs with it, and the other way round.
    """
    return salted_hmac("accounts.links.key", "link", secret=secret, algorithm="sha256").digest()
