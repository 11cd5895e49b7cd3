"""Who can sign? Whoever has a private key, or can ask one that never leaves its box.

`Signer` is all that the key ring knows of a private key. Two kinds are here: a key in this
process's memory, and, in `jwt_api.hsm`, one behind PKCS#11.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import get_default_algorithms
from jwt.utils import base64url_encode

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

RSA_BITS = 3072
LEAST_RSA_BITS = 2048
MAKE: dict[str, Callable[[], PrivateKey]] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "RS256": lambda: rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}
ALGORITHMS = tuple(MAKE)
# RFC 7638, section 3.2, and RFC 8037, section 2: what makes the thumbprint, per key type. These
# are also the only members of a key that the JWKS ever shows.
THUMBPRINT_MEMBERS = {
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
    "RSA": ("e", "kty", "n"),
}


class Signer(ABC):
    """One key pair, bound to one algorithm (RFC 8725, section 3.1).

    A KMS or an HSM is a subclass that implements `sign`. Everything else follows from the
    public key: `algorithm`, `jwk` (its public members, ready for the JWKS) and `kid`.
    """

    def __init__(self, public: object) -> None:
        """Raises `ValueError` for a key that no token of ours may be signed with."""
        self.public, self.algorithm = bound(public)
        jwk = get_default_algorithms()[self.algorithm].to_jwk(self.public, as_dict=True)
        self.kid = thumbprint(jwk)
        members = {name: jwk[name] for name in THUMBPRINT_MEMBERS[jwk["kty"]]}
        self.jwk = {**members, "use": "sig", "alg": self.algorithm, "kid": self.kid}

    @abstractmethod
    def sign(self, message: bytes) -> bytes:
        """The signature as RFC 7518 and RFC 8037 want it: for ES256 r and s, 32 bytes each."""


class LocalSigner(Signer):
    """A private key in the memory of this process."""

    def __init__(self, private: Any) -> None:
        super().__init__(private.public_key())
        self.private = private

    def sign(self, message: bytes) -> bytes:
        return get_default_algorithms()[self.algorithm].sign(message, self.private)


def bound(public: object) -> tuple[PublicKey, str]:
    """The key, and the one algorithm that it is for; raises `ValueError` if there is none.

    Keys that are made for encryption (X25519), other curves and short RSA keys have none.
    """
    if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1):
        return public, "ES256"
    if isinstance(public, rsa.RSAPublicKey) and public.key_size >= LEAST_RSA_BITS:
        return public, "RS256"
    if isinstance(public, ed25519.Ed25519PublicKey):
        return public, "EdDSA"
    raise ValueError(
        "a key for ES256 (curve P-256), RS256 (RSA of 2048 bits or more) or EdDSA (Ed25519)"
    )


def thumbprint(jwk: dict[str, str]) -> str:
    """RFC 7638: SHA-256 over the required members in lexicographic order, base64url."""
    members = {name: jwk[name] for name in THUMBPRINT_MEMBERS[jwk["kty"]]}
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return base64url_encode(sha256(text.encode()).digest()).decode()


def new_private_key(algorithm: str) -> str:
    """A new key for one of `ALGORITHMS`, as an unencrypted PEM (PKCS#8)."""
    return (
        MAKE[algorithm]()
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        .decode()
    )
