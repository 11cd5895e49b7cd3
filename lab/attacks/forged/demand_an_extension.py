"""What if a token says that it must not be read by who does not know its extension?"""

from __future__ import annotations

from collections.abc import Iterable

from lab.attacks.forged.forging import Forgery
from lab.attacks.person import Person
from lab.attacks.scene import Scene


class DemandAnExtension(Forgery):
    """`crit` (RFC 7515, section 4.1.11) names what a reader must understand or refuse."""

    key = "demand-an-extension"
    title = "Use a token whose critical extension nobody knows"
    catalogue = ("A14",)
    story = (
        "Another service signs tokens with the same key that are good only under a condition, "
        "which stands in `crit`. Mallory brings one here."
    )
    precondition = "Somebody who signs with our key: another service of the house."
    gained = "The condition was skipped: a token that was good for little is good for all."
    learned = "What a token calls critical and the reader does not know makes it a bad one."

    def forged(self, scene: Scene, mallory: Person, victim: str) -> Iterable[tuple[str, str]]:
        own = mallory.access_token or ""
        for crit in (["only-on-sundays"], ["exp"], []):
            header = {"crit": crit, "only-on-sundays": True}
            yield f"`crit` is {crit}; the signature is good.", scene.sign(own, header=header)
