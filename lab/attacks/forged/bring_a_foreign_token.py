"""What if a good token was made for somebody else?"""

from __future__ import annotations

from collections.abc import Iterable

from lab.attacks.forged.forging import Forgery, parts_of
from lab.attacks.person import Person
from lab.attacks.scene import Scene


class BringAForeignToken(Forgery):
    """The audience (RFC 8725, section 3.9): for whom is it?"""

    key = "bring-a-foreign-token"
    title = "Use a token that is meant for another service"
    catalogue = ("A17",)
    story = (
        "Ada has used a small service that takes tokens of the same issuer. Its operator, mallory, "
        "keeps her token and presents it here."
    )
    precondition = "Two services that trust one issuer."
    gained = "Whoever runs the least of the services can be anybody at all of them."
    learned = "A token says for whom it is, and this server takes those that are for it."

    def forged(self, scene: Scene, mallory: Person, victim: str) -> Iterable[tuple[str, str]]:
        own = mallory.access_token or ""
        ours = parts_of(own)[1]["aud"]
        for other in ("shop", [ours, "shop"], [ours], ours.upper(), "", None):
            claims = {"sub": victim, "aud": other}
            said = "is missing" if other is None else f"is {other!r}"
            yield f"`aud` {said}; the signature is good.", scene.sign(own, claims=claims)
