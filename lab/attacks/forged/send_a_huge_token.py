"""What if a token is very large, or nested very deeply?"""

from __future__ import annotations

from collections.abc import Iterable

from lab.attacks.forged.forging import Forgery, encoded, parts_of, written
from lab.attacks.person import Person
from lab.attacks.scene import Scene

DEEP = 5000


class SendAHugeToken(Forgery):
    """Whoever reads all of it before the signature is checked works for the attacker."""

    key = "send-a-huge-token"
    title = "Send a huge or deeply nested token"
    catalogue = ("A23",)
    story = (
        "Mallory sends a header of a megabyte, a token of eight kilobytes, and claims that are "
        f"nested {DEEP} times."
    )
    gained = "The server broke down over it, or took it: one sender can keep it busy."
    learned = "What is longer than any token of ours is refused before anything of it is read."

    def forged(self, scene: Scene, mallory: Person, victim: str) -> Iterable[tuple[str, str]]:
        header, claims, signature = parts_of(mallory.access_token or "")
        nested = b"[" * DEEP + b"]" * DEEP
        yield "Claims nested deeply.", written(header, nested, signature)
        yield "A header nested deeply.", f"{encoded(nested[:3000])}.{encoded(claims)}.{signature}"
        big = claims | {"sub": victim, "pad": "x" * 6000}
        yield "A token of eight kilobytes.", written(header, big, signature)
        huge = claims | {"pad": "x" * 750_000}
        yield "A token of a megabyte.", written(header, huge, signature)

    def is_taken(self, status: int) -> bool:
        return status < 400 or status >= 500
