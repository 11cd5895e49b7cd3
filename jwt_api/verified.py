"""Which access tokens has this process verified already? Each signature is checked once.

What passed is kept under the exact text of the token, for as long as everything that decided it
is as it was: the key ring and the settings. What time decides is looked at on every call, and so
is revocation, where a strategy knows of any; neither is kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from django.conf import settings

from accounts.contract.checking import check
from jwt_api.keys import ring
from jwt_api.tokens import AccessToken

MOST_VERIFIED = 4096
"""Tokens that one process keeps, 2.3 kB each; the longest unused goes first."""

Verify = Callable[[bytes], AccessToken]


class _Kept:
    """The tokens that passed under certain conditions."""

    def __init__(self, conditions: tuple[Any, ...], verify: Verify) -> None:
        self.conditions = conditions
        self.verify = lru_cache(maxsize=MOST_VERIFIED)(lambda text: _frozen(verify(text)))


_kept: _Kept | None = None


@check("token", "Its text passes every check: those below, or this process remembers that it did.")
def verified(text: bytes, verify: Verify) -> AccessToken:
    """The token that `verify` made of this text, now or earlier; what it raises is not kept.

    Its claims cannot be changed: other requests get the same token.
    """
    global _kept
    kept, conditions = _kept, _conditions()
    if kept is None or kept.conditions != conditions:
        # Threat: a stolen key was distrusted, and what it signed is remembered as good. All that
        # is kept goes with its conditions. A verification that began under the old ones puts its
        # token there as well, where nobody looks any more.
        kept = _kept = _Kept(conditions, verify)
    token = kept.verify(text)
    # Not kept: whether its time has come, or is over. A refusal is the full verification's.
    return token if _is_timely(token) else verify(text)


def _conditions() -> tuple[Any, ...]:
    """All that decides over a token beside its text and the time."""
    own = (settings.JWT_CLIENT_ID, settings.JWT_PROGRAM_AUDIENCE)
    return (ring(), *own, *settings.SIMPLE_JWT.values())


def _frozen(token: AccessToken) -> AccessToken:
    token.payload = MappingProxyType(token.payload)  # type: ignore[assignment]
    return token


@check("time", "Its time has come, and is not over: exp, iat and nbf, which nobody remembers.")
def _is_timely(token: AccessToken) -> bool:
    """`exp`, `iat` and `nbf` as PyJWT reads them (RFC 7519, section 4.1)."""
    claims, now = token.payload, time.time()
    leeway = settings.SIMPLE_JWT["LEEWAY"].total_seconds()
    begins = max(claims["iat"], int(claims.get("nbf", 0)))
    return claims["exp"] > now - leeway and begins <= now + leeway
