"""What if the signing secret is one that everybody uses?"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

from lab.attacks.forged.forging import Forgery, encoded, parts_of
from lab.attacks.person import Person
from lab.attacks.scene import Scene

# From the lists that crackers begin with. The first one is the empty one (jwt_tool -X b).
WORDS = ("", "secret", "your-256-bit-secret", "changeme", "django-insecure", "password", "jwt")


def hmac_signed(header: dict[str, object], claims: object, secret: bytes, algorithm: str) -> str:
    """A token with an HMAC signature over that secret."""
    text = f"{encoded(header | {'alg': algorithm})}.{encoded(claims)}"
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[algorithm]
    return f"{text}.{encoded(hmac.new(secret, text.encode(), digest).digest())}"


class GuessTheSecret(Forgery):
    """HS256 has one secret that signs and verifies; whoever guesses it is the server."""

    key = "guess-the-secret"
    title = "Guess a weak HMAC secret"
    catalogue = ("A04", "A05")
    story = "Mallory signs with HS256 and each secret of a word list, the empty one among them."
    gained = "One of the usual words was the secret: from now on she signs as the server does."
    learned = (
        "There is no secret to guess: tokens are signed with a private key, and no HS* algorithm "
        "is taken for any key."
    )

    def forged(self, scene: Scene, mallory: Person, victim: str) -> Iterable[tuple[str, str]]:
        header, claims, _ = parts_of(mallory.access_token or "")
        for word in WORDS:
            text = hmac_signed(header, claims | {"sub": victim}, word.encode(), "HS256")
            yield f"Signed with HS256 and the secret {word!r}.", text
