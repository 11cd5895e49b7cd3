"""What if the claims of a well-signed token are of the wrong types?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.attacks.forged.forging import Forgery
from lab.attacks.person import Person
from lab.attacks.scene import Scene


class SendStrangeClaims(Forgery):
    """What reaches the database, or Python's clock, must have been looked at before."""

    key = "send-strange-claims"
    title = "Send claims of strange types"
    catalogue = ("A21",)
    story = (
        "Mallory has somebody's signer sign lists, objects, numbers without end and zero bytes "
        "where names and times belong."
    )
    precondition = "Somebody who signs with our key, and does not look at what."
    gained = "A strange claim was taken, or brought the server down with a 500: it had no guard."
    learned = "Each claim has one shape, and what has another is refused as any bad token is."

    def forged(self, scene: Scene, mallory: Person, victim: str) -> Iterable[tuple[str, str]]:
        own = mallory.access_token or ""
        for name, value in strange(victim):
            yield f"`{name}` is {str(value)[:24]!r}.", scene.sign(own, claims={name: value})

    def is_taken(self, status: int) -> bool:
        return status < 400 or status >= 500


def strange(victim: str) -> Iterable[tuple[str, Any]]:
    """A claim, and what does not belong there."""
    table: dict[str, list[Any]] = {
        "sub": [[victim], {"id": victim}, True, int(victim), "1 OR 1=1", "\x00", "9" * 30],
        "exp": ["soon", 10**30, True, [1], -1, 1.5],
        "jti": [[], {}, "x" * 3000, 7],
        "roles": ["admin", {"admin": True}, [["admin"]], ["admin' --"]],
        "iat": ["yesterday"],
        "epoch": ["9"],
        "sid": [None],
    }
    return ((name, value) for name, values in table.items() for value in values)
