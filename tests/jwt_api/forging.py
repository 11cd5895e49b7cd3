"""How does mallory make a token? By hand, from bytes: no library is there to refuse."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from django.test import Client
from django.test.client import ClientHandler
from jwt.algorithms import get_default_algorithms
from jwt.utils import base64url_decode, base64url_encode

from jwt_api.keys import ring
from tests.accounts.racing import browser

ABSENT = object()
"""A value that takes the member away."""
CURVE_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # P-256


@cache
def site() -> ClientHandler:
    return ClientHandler(enforce_csrf_checks=False)


def visitor(**cookies: str) -> Client:
    """One more browser, and no more than that.

    Surprise: each test client of Django's loads all middleware anew, and WhiteNoise then
    lists all static files: 20 ms, several hundred times.
    """
    client = browser(**cookies)
    client.handler = site()
    return client


def segment(value: Any) -> str:
    """One part of a token: bytes as they are, everything else as JSON (NaN included)."""
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64url_encode(content).decode()


def read(part: str) -> Any:
    return json.loads(base64url_decode(part))


def changed(members: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**members, **changes}.items() if value is not ABSENT}


class Forge:
    """A genuine token taken apart, and the means to put another one together."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.head, self.body, self.signature = token.split(".")
        self.header: dict[str, Any] = read(self.head)
        self.claims: dict[str, Any] = read(self.body)

    def ours(self, header: Any = None, claims: Any = None, *, algorithm: str = "") -> str:
        """Signed by our own key, whatever header and claims say; both are changes, or bytes."""
        head = header if isinstance(header, bytes) else changed(self.header, header or {})
        body = claims if isinstance(claims, bytes) else changed(self.claims, claims or {})
        signer: Any = ring().signing.signer
        return self.signed(head, body, algorithm or signer.algorithm, signer.private)

    def theirs(self, header: Mapping[str, Any], algorithm: str, key: Any) -> str:
        """The genuine claims, signed by a key of mallory's own."""
        head = changed(self.header, {"alg": algorithm, **header})
        return self.signed(head, self.claims, algorithm, key)

    def signed(self, header: Any, claims: Any, algorithm: str, key: Any) -> str:
        text = f"{segment(header)}.{segment(claims)}"
        signature = get_default_algorithms()[algorithm].sign(text.encode(), key)
        return f"{text}.{segment(signature)}"

    def with_signature(self, signature: bytes) -> str:
        return f"{self.head}.{self.body}.{segment(signature)}"

    def malleated(self) -> str:
        """The second valid signature that everybody can compute for an ES256 token: (r, n-s)."""
        signature = base64url_decode(self.signature)
        r, s = signature[:32], int.from_bytes(signature[32:], "big")
        return self.with_signature(r + (CURVE_ORDER - s).to_bytes(32, "big"))
