"""What if the issuer's name only resembles ours?"""

from __future__ import annotations

from collections.abc import Iterable

from lab.attacks.forged.forging import Forgery, parts_of
from lab.attacks.person import Person
from lab.attacks.scene import Scene


class LookLikeOurIssuer(Forgery):
    """PyJWT 2.10.0 took every part of the name: CVE-2024-53861."""

    key = "look-like-our-issuer"
    title = "Come from an issuer with nearly our name"
    catalogue = ("A16",)
    story = (
        "A test system signs with the same key and calls itself nearly the same. Mallory has an "
        "account there, and brings its token."
    )
    precondition = "Two systems that share a key, which happens."
    gained = "Names were compared loosely: whoever rules the test system rules this one."
    learned = "`iss` is compared as a whole; a part of it, a list or other capitals are others."

    def forged(self, scene: Scene, mallory: Person, victim: str) -> Iterable[tuple[str, str]]:
        own = mallory.access_token or ""
        ours = parts_of(own)[1]["iss"]
        for other in (ours[:-1], ours[:4], f"{ours}-test", ours.upper(), [ours], "", None):
            said = "is missing" if other is None else f"is {other!r}"
            yield f"`iss` {said}; the signature is good.", scene.sign(own, claims={"iss": other})
