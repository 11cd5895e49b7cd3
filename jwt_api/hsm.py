"""Can the signing key live in a box that never gives it away? Yes: a signer behind PKCS#11.

`<number>.pkcs11` names the key as RFC 7512 does, and holds its public half:

    pkcs11:token=authdemo;object=jwt-1f0c…
    -----BEGIN PUBLIC KEY-----
    …

So whoever only verifies needs no box, and a token is signed by the box alone. Cards, network
HSMs and several KMS speak PKCS#11; `HSM_MODULE` is their library. It is imported when used.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
from contextlib import suppress
from hashlib import sha256
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from accounts.contract.errors import StoreUnavailable
from jwt_api.signers import Signer

REFERENCE = re.compile(r"pkcs11:token=([\w.-]+);object=([\w.-]+)\n(?=-----BEGIN PUBLIC KEY-----)")

# One session for each process and token; one thread at a time opens it and signs in it. Two would
# log in at once, which the box refuses, and get in each other's way (PKCS#11, section 5.6).
_sessions: dict[tuple[int, str], Any] = {}
_refused: set[tuple[str, str]] = set()  # tokens, and PINs that were wrong
_turn = threading.Lock()


class Pkcs11Signer(Signer):
    """A private P-256 key that stays in its token: only digests go in, only signatures come out."""

    def __init__(self, token: str, name: str, public: object) -> None:
        super().__init__(public)
        if self.algorithm != "ES256":
            raise ValueError("a P-256 key: of an HSM, only ES256 is used here")
        self.token, self.name = token, name

    @classmethod
    def read(cls, content: bytes) -> Pkcs11Signer:
        """The signer of a `.pkcs11` file; the box is not asked."""
        named = REFERENCE.match(content.decode(errors="replace"))
        try:
            public = serialization.load_pem_public_key(content) if named else None
        except (ValueError, UnsupportedAlgorithm):
            public = None
        if named is None or public is None:
            raise ValueError("a PKCS#11 URI with a public key below it")
        return cls(named[1], named[2], public)

    def sign(self, message: bytes) -> bytes:
        """Raises `StoreUnavailable`, a 503, when the box does not answer.

        The digest is made here: not every box hashes. Surprise: PKCS#11 answers with r and s
        as JOSE wants them, not with the DER that most libraries give.
        """
        with _turn:
            return self._signature(sha256(message).digest(), tries=2)

    def _signature(self, digest: bytes, *, tries: int) -> bytes:
        import pkcs11

        try:
            return self._private().sign(digest, mechanism=pkcs11.Mechanism.ECDSA)
        except pkcs11.PKCS11Error as error:
            close_session(self.token)
            if tries == 1 or isinstance(error, pkcs11.PinIncorrect):
                raise StoreUnavailable(f"PKCS#11: {type(error).__name__}") from error
        # The session was over: the box was away, or another process has made it log out.
        return self._signature(digest, tries=tries - 1)

    def _private(self) -> Any:
        import pkcs11

        session = _session(self.token)
        return session.get_key(label=self.name, object_class=pkcs11.ObjectClass.PRIVATE_KEY)


def make_in_hsm(token: str) -> str:
    """Make a P-256 key in the token; return what a `.pkcs11` file says of it.

    Raises `ImproperlyConfigured` where the library, the token or the PIN is not right.
    """
    try:
        import pkcs11
    except ImportError as error:
        raise ImproperlyConfigured("Install python-pkcs11 to make keys in an HSM.") from error
    name = f"jwt-{secrets.token_hex(8)}"
    try:
        with _turn:
            der = _generate(_session(token), name)
    except pkcs11.PKCS11Error as error:
        raise ImproperlyConfigured(
            f"The token {token!r} makes no key ({type(error).__name__} {error}). "
            "Look at HSM_MODULE, HSM_TOKEN and HSM_TOKEN_PIN."
        ) from error
    pem = serialization.load_der_public_key(der).public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"pkcs11:token={token};object={name}\n{pem.decode()}"


def _generate(session: Any, name: str) -> bytes:
    """The public half, as DER."""
    from pkcs11 import Attribute, KeyType
    from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters

    curve = {Attribute.EC_PARAMS: encode_named_curve_parameters("secp256r1")}
    public, _ = session.create_domain_parameters(KeyType.EC, curve, local=True).generate_keypair(
        store=True,
        label=name,
        private_template={Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
    )
    return encode_ec_public_key(public)


def _session(token: str) -> Any:
    """The session of this process. A forked child must not talk through its parent's."""
    import pkcs11

    here = (os.getpid(), token)
    if here not in _sessions:
        if not settings.HSM_MODULE:
            raise ImproperlyConfigured("HSM_MODULE names no library: an HSM's key cannot sign.")
        library = pkcs11.lib(settings.HSM_MODULE)
        if any(process != os.getpid() for process, _ in _sessions):
            library.reinitialize()
            _sessions.clear()
        _sessions[here] = _open(library, token)
    return _sessions[here]


def _open(library: Any, token: str) -> Any:
    """A wrong PIN is tried once in each process: boxes lock after a few."""
    import pkcs11

    tried = (token, settings.HSM_TOKEN_PIN)
    if tried in _refused:
        raise pkcs11.PinIncorrect("It was refused before, and is not tried again.")
    try:
        return _logged_in(library, *tried)
    except pkcs11.PinIncorrect:
        _refused.add(tried)
        raise


def _logged_in(library: Any, token: str, pin: str) -> Any:
    return library.get_token(token_label=token).open(rw=True, user_pin=pin)


def close_session(token: str) -> None:
    """Surprise: one that is only forgotten stays logged in, and no other can be opened."""
    import pkcs11

    if session := _sessions.pop((os.getpid(), token), None):
        with suppress(pkcs11.PKCS11Error):
            session.close()
