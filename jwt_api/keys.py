"""Which key signs, which keys verify, and who may know them? The key ring and its public half.

Private keys are PEM files in `JWT_KEYS_DIR`, made on first use and never in the
repository. Every one of them verifies. The newest one signs, as soon as it has stood
in the JWKS for so long that no verifier can hold a copy without it.
"""

import json
import os
import threading
import time
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from jwt.algorithms import get_default_algorithms
from jwt.utils import base64url_encode

from accounts import security_log
from accounts.secret_file import read_or_create

RSA_BITS = 3072
JWKS_MAX_AGE_SECONDS = 300
# RFC 7638, section 3.2: the members that make the thumbprint, per key type.
THUMBPRINT_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "RSA": ("e", "kty", "n")}


@dataclass(frozen=True)
class Key:
    """One key pair, bound to one algorithm (RFC 8725, section 3.1).

    `since` is when its file was written, in Unix seconds.
    """

    kid: str
    since: float
    algorithm: str
    private: Any = field(repr=False)
    public: Any = field(repr=False)
    jwk: dict[str, str] = field(repr=False)
    """The public members only, ready for the JWKS."""


@dataclass(frozen=True)
class KeyRing:
    """All keys by `kid`, the oldest first."""

    keys: dict[str, Key]

    @property
    def signing(self) -> Key:
        """The newest key that every verifier knows by now; the oldest one while there is none.

        A token of a key that was published this second fails wherever the JWKS is cached.
        """
        published = time.time() - JWKS_MAX_AGE_SECONDS
        oldest, *_ = keys = list(self.keys.values())
        return next((key for key in reversed(keys) if key.since <= published), oldest)

    def find(self, kid: object) -> Key | None:
        """The key of that name, by equality; a path, URL or SQL in `kid` is just unknown."""
        return self.keys.get(kid) if isinstance(kid, str) else None

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys (RFC 7517)."""
        return {"keys": [key.jwk for key in self.keys.values()]}


def ring() -> KeyRing:
    """The ring as its files are now: one that comes, goes or changes is noticed at once."""
    directory: Path = settings.JWT_KEYS_DIR
    algorithm = settings.SIMPLE_JWT["ALGORITHM"]
    if not (files := _files_in(directory)):
        read_or_create(directory / "1.pem", make=lambda: _new_private_key(algorithm))
        files = _files_in(directory)
    found = _load(directory, algorithm, files)
    _note_rotation(directory, list(found.keys), found.signing.kid)
    return found


# What this process has last told of each directory: every key's `kid`, and which one signs.
_noted: dict[Path, tuple[list[str], str]] = {}
_noting = threading.Lock()


def _note_rotation(directory: Path, kids: list[str], signing: str) -> None:
    """Log which keys there are, and from then on each one that comes, signs or goes; once."""
    if _noted.get(directory) == (kids, signing):
        return
    with _noting:
        before, before_signing = _noted.get(directory, ([], ""))
        _noted[directory] = (kids, signing)
    if not before:
        security_log.note("signing_keys_loaded", kids=kids, signing=signing)
        return
    for kid in set(kids) - set(before):
        security_log.note("signing_key_appeared", kid=kid)
    if signing != before_signing:
        security_log.note("signing_key_changed", kid=signing)
    for kid in set(before) - set(kids):
        security_log.note("signing_key_disappeared", kid=kid)


def _files_in(directory: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, time and inode of each key file, oldest name first: 9.pem comes before 10.pem."""
    try:
        found = [
            (entry.name, _last_changed(entry.stat()), entry.inode())
            for entry in os.scandir(directory)
            if entry.name.endswith(".pem")
        ]
    except FileNotFoundError:
        # The directory is not there, or a file went while we looked: look at the rest.
        return _files_in(directory) if directory.exists() else ()
    return tuple(sorted(found, key=lambda file: (len(file[0]), file[0])))


def _last_changed(file: os.stat_result) -> int:
    """Nanoseconds. A copy may keep the time of its content, so that of the file counts as well."""
    return max(file.st_mtime_ns, file.st_ctime_ns)


@lru_cache(maxsize=8)
def _load(directory: Path, algorithm: str, files: tuple[tuple[str, int, int], ...]) -> KeyRing:
    keys = [_key_from(directory / name, algorithm, since / 1e9) for name, since, _ in files]
    if len({key.kid for key in keys}) < len(keys):
        raise ImproperlyConfigured(f"Two files in {directory.name} hold the same key.")
    return KeyRing(keys={key.kid: key for key in keys})


def _new_private_key(algorithm: str) -> str:
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if algorithm == "ES256":
        private = ec.generate_private_key(ec.SECP256R1())
    else:
        private = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def _key_from(path: Path, algorithm: str, since: float) -> Key:
    """Read one key; raises `ImproperlyConfigured` by file name, never with its content."""
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise ImproperlyConfigured(f"{path.name} is not an unencrypted PEM private key.") from error
    fits = {
        "ES256": isinstance(private, ec.EllipticCurvePrivateKey)
        and isinstance(private.curve, ec.SECP256R1),
        "RS256": isinstance(private, rsa.RSAPrivateKey) and private.key_size >= 2048,
    }
    if not fits.get(algorithm):
        raise ImproperlyConfigured(
            f"{path.name} is not a key for {algorithm}: ES256 needs curve P-256, "
            "RS256 an RSA key of 2048 bits or more."
        )
    public = private.public_key()
    jwk = get_default_algorithms()[algorithm].to_jwk(public, as_dict=True)
    kid = thumbprint(jwk)
    members = {name: jwk[name] for name in THUMBPRINT_MEMBERS[jwk["kty"]]}
    return Key(
        kid=kid,
        since=since,
        algorithm=algorithm,
        private=private,
        public=public,
        jwk={**members, "use": "sig", "alg": algorithm, "kid": kid},
    )


def thumbprint(jwk: dict[str, str]) -> str:
    """RFC 7638: SHA-256 over the required members in lexicographic order, base64url."""
    members = {name: jwk[name] for name in THUMBPRINT_MEMBERS[jwk["kty"]]}
    text = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return base64url_encode(sha256(text.encode()).digest()).decode()
