"""Who can verify a token, and who could have made it? With HS256, the same people. (D5)

mallory runs a service that verifies our tokens, and tries to make one with all that it was given.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms

from jwt_api.verifier.keys import KnownKeys, usable_keys
from jwt_api.verifier.tokens import InvalidToken, Verifier
from tests.jwt_api.forging import Forge
from tests.jwt_api.issuer import AUDIENCE, ISSUER, Issuer, jwk_of, running_issuer

pytestmark = pytest.mark.once

SECRET = b"every service that verifies was given these bytes"
PAIRS: dict[str, Any] = {
    "ES256": ec.generate_private_key(ec.SECP256R1()),
    "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as issuer:
        yield issuer


def test_who_holds_the_hs256_secret_can_forge(issuer: Issuer) -> None:
    genuine = jwt.encode({"sub": "mallory", "aud": AUDIENCE}, SECRET, algorithm="HS256")
    options: dict[str, Any] = {"algorithms": ["HS256"], "audience": AUDIENCE}
    assert jwt.decode(genuine, SECRET, **options)["sub"] == "mallory"
    # What it takes to verify is what it takes to sign: nothing tells the two tokens apart.
    forged = jwt.encode({"sub": "admin", "aud": AUDIENCE}, SECRET, algorithm="HS256")
    assert jwt.decode(forged, SECRET, **options)["sub"] == "admin"


def public_bytes(key: Any, encoding: str, form: str) -> bytes:
    return key.public_key().public_bytes(
        getattr(serialization.Encoding, encoding), getattr(serialization.PublicFormat, form)
    )


def as_secret(secret: Callable[[Any, str], bytes]) -> Callable[[Forge, Any, str], str]:
    """A11: HS256 over a form of the public key, for who verifies with whatever key there is."""
    return lambda forge, key, algorithm: forge.theirs({}, "HS256", secret(key, algorithm))


def own_key(forge: Forge, key: Any, algorithm: str) -> str:
    makers: dict[str, Callable[[], Any]] = {
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }
    return forge.theirs({}, algorithm, makers[algorithm]())


ATTEMPTS: dict[str, Callable[[Forge, Any, str], str]] = {
    "the PEM as a secret": as_secret(
        lambda key, algorithm: public_bytes(key, "PEM", "SubjectPublicKeyInfo")
    ),
    "the PEM without its last line feed": as_secret(
        lambda key, algorithm: public_bytes(key, "PEM", "SubjectPublicKeyInfo").strip()
    ),
    "the DER as a secret": as_secret(
        lambda key, algorithm: public_bytes(key, "DER", "SubjectPublicKeyInfo")
    ),
    "the JWK as a secret": as_secret(
        lambda key, algorithm: json.dumps(jwk_of("k", key, algorithm)).encode()
    ),
    "an empty secret": as_secret(lambda key, algorithm: b""),
    "a key of its own": own_key,
    "no algorithm": lambda forge, key, algorithm: (
        forge.signed({**forge.header, "alg": "none"}, forge.claims, algorithm, key).rpartition(".")[
            0
        ]
        + "."
    ),
    "the old signature": lambda forge, key, algorithm: (
        f"{forge.head}.{forge.body}.{forge.token.rpartition('.')[2]}"
    ),
}


@pytest.mark.parametrize("algorithm", PAIRS)
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_who_holds_the_public_key_cannot_forge(
    issuer: Issuer, algorithm: str, attempt: str
) -> None:
    key = PAIRS[algorithm]
    issuer.keys = [jwk_of("k", key, algorithm)]
    verifier = Verifier(KnownKeys(issuer.url), ISSUER, AUDIENCE)
    claims = Forge(issuer.token()).claims
    headers = {"kid": "k", "typ": "at+jwt"}
    genuine = jwt.encode(claims, key, algorithm=algorithm, headers=headers)
    assert verifier.verify(genuine).subject == "7"
    wanted = Forge(genuine)
    wanted.claims = {**claims, "sub": "1"}
    wanted.body = Forge(jwt.encode(wanted.claims, b"x" * 32, algorithm="HS256")).body
    with pytest.raises(InvalidToken):
        verifier.verify(ATTEMPTS[attempt](wanted, key, algorithm))


@pytest.mark.parametrize("algorithm", PAIRS)
def test_nothing_that_a_verifier_is_given_can_sign(algorithm: str) -> None:
    """Not by trust: the key object that it holds has no private half."""
    given = usable_keys({"keys": [jwk_of("k", PAIRS[algorithm], algorithm)]})["k"]
    with pytest.raises((AttributeError, TypeError)):
        get_default_algorithms()[algorithm].sign(b"x", given.key)
