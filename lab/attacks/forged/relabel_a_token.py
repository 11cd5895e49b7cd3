"""What if a token does not say, or says wrongly, what kind of token it is?"""

from __future__ import annotations

from collections.abc import Iterable

from lab.attacks.forged.forging import Forgery
from lab.attacks.person import Person
from lab.attacks.scene import Scene


class RelabelAToken(Forgery):
    """Explicit typing (RFC 8725, section 3.11; RFC 9068, section 4)."""

    key = "relabel-a-token"
    title = "Pass off another kind of token as an access token"
    catalogue = ("A19",)
    story = (
        "The same key signs other things too: ID tokens, links. Mallory presents one whose claims "
        "happen to fit."
    )
    precondition = "Somebody who signs something else with our key."
    gained = "Whatever the key has signed is a login, if its claims happen to fit."
    learned = "An access token says `typ: at+jwt`; whatever does not is something else."

    def forged(self, scene: Scene, mallory: Person, victim: str) -> Iterable[tuple[str, str]]:
        own = mallory.access_token or ""
        for typ in ("JWT", None, "rt+jwt", "id+jwt", ["at+jwt"], ""):
            said = "is missing" if typ is None else f"is {typ!r}"
            yield f"`typ` {said}; the signature is good.", scene.sign(own, header={"typ": typ})
