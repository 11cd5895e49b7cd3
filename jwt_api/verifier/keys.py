"""Which keys may have signed a token? Those of the issuer's JWKS, as it was last read.

Why not PyJWT's own `PyJWKClient`: it forgets its keys when their time is over, so that an
issuer that is away takes every service down with it; and it counts its cool-down from the
last fetch that succeeded, so that each unknown `kid` then asks once more (2.15.1).
"""

from __future__ import annotations

import json
import logging
import ssl
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import httpx
import jwt
from jwt import PyJWK

logger = logging.getLogger("notes")

# Each algorithm and the only kind of key that it may be used with (RFC 8725, section 3.1).
KINDS = {"ES256": ("EC", "P-256"), "RS256": ("RSA", None), "EdDSA": ("OKP", "Ed25519")}
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
LEAST_RSA_BITS = 2048
MOST_BYTES = 65536
TIMEOUT_SECONDS = 3.0


class KeysUnavailable(Exception):
    """The issuer was never reached, or so long ago that its keys say nothing any more."""


class KnownKeys:
    """The issuer's keys by `kid`. Times are seconds of a clock that only goes forward.

    `max_age`: after how long they are read anew, as the issuer's Cache-Control says.
    `cooldown`: how long nothing is asked after it was asked, whatever came of it.
    `keep`: how long the last good ones are used while the issuer is away. Not for ever: who
    can keep us from the issuer could otherwise keep a key alive that it has withdrawn.
    """

    def __init__(
        self,
        url: str,
        *,
        max_age: float = 300,
        cooldown: float = 30,
        keep: float = 86400,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url, self.max_age, self.cooldown, self.keep = url, max_age, cooldown, keep
        self.clock = clock
        self._keys: dict[str, PyJWK] = {}
        self._read_at = self._asked_at = float("-inf")
        self._lock = threading.Lock()

    def find(self, kid: str) -> PyJWK | None:
        """The key of that name; None if the issuer has none. Raises `KeysUnavailable`."""
        unknown = kid not in self._keys
        if unknown or self._age() > self.max_age:
            self._refresh(wait=unknown)
        if self._age() > self.keep:
            raise KeysUnavailable
        return self._keys.get(kid)

    def _age(self) -> float:
        return self.clock() - self._read_at

    def _refresh(self, *, wait: bool) -> None:
        """Ask, unless somebody is asking or has just asked; whose key is known does not wait."""
        if not self._lock.acquire(timeout=TIMEOUT_SECONDS if wait else 0):
            return
        try:
            # Threat: a thousand made-up kids would be a thousand requests to the issuer.
            if self.clock() - self._asked_at < self.cooldown:
                return
            self._asked_at = self.clock()
            self._keys = usable_keys(fetch(self.url))
            self._read_at = self.clock()
        except (httpx.HTTPError, jwt.PyJWTError, ValueError, RecursionError) as error:
            logger.warning("keys not read, the last good ones stay: %s", type(error).__name__)
        finally:
            self._lock.release()


def fetch(url: str) -> Any:
    """The JSON at that URL. Raises `httpx.HTTPError` or `ValueError`."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    body = bytearray()
    # Threat: a redirect would let whoever can cause one at the issuer choose our keys.
    with httpx.stream(
        "GET", url, follow_redirects=False, timeout=TIMEOUT_SECONDS, verify=authorities()
    ) as response:
        if response.status_code != 200:
            raise ValueError(f"status {response.status_code}")
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MOST_BYTES or time.monotonic() > deadline:
                raise ValueError("an endless answer")
    return json.loads(body)


@cache
def authorities() -> ssl.SSLContext:
    """Whom to trust over TLS. Reading them takes longer than a request."""
    return httpx.create_ssl_context()


def usable_keys(jwks: Any) -> dict[str, PyJWK]:
    """The keys of a set that may verify a signature, by `kid`; raises for a set without any."""
    members = jwks["keys"] if isinstance(jwks, dict) and "keys" in jwks else None
    if not isinstance(members, list) or not all(isinstance(each, dict) for each in members):
        raise ValueError("not a JWK set")
    found = [PyJWK(member) for member in members if is_usable(member)]
    keys = {key.key_id: key for key in found if not is_short(key)}
    if not keys or len(keys) != len(found):
        raise ValueError("no usable key, a short one, or one name twice")
    return keys  # type: ignore[return-value]  # `is_usable`: a kid is a string


def is_usable(member: dict[str, Any]) -> bool:
    """Public, for signatures, named, and of the kind that its algorithm asks for."""
    kind = KINDS.get(str(member.get("alg")))
    return (
        kind == (member.get("kty"), member.get("crv"))
        and isinstance(member.get("kid"), str)
        and member.get("use", "sig") == "sig"
        and "verify" in member.get("key_ops", ["verify"])
        and not PRIVATE & member.keys()
    )


def is_short(key: PyJWK) -> bool:
    """Whether it is an RSA key that can be broken."""
    return key.algorithm_name == "RS256" and key.key.key_size < LEAST_RSA_BITS
