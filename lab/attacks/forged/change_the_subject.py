"""What if somebody writes another user's number into their own token?"""

from __future__ import annotations

from collections.abc import Iterable

from lab.attacks.forged.forging import Forgery, parts_of, written
from lab.attacks.person import Person
from lab.attacks.scene import Scene


class ChangeTheSubject(Forgery):
    """The first thing that anybody tries who has decoded a token."""

    key = "change-the-subject"
    title = "Change the user in the own token"
    catalogue = ("A01",)
    story = (
        "Mallory decodes her token, writes ada's number into `sub`, encodes it again and leaves "
        "the signature as it was."
    )
    gained = "The server read the claims without checking who wrote them: anybody is anybody."
    learned = "The claims can be read and changed by everyone; the signature fits one text only."

    def forged(self, scene: Scene, mallory: Person, victim: str) -> Iterable[tuple[str, str]]:
        header, claims, signature = parts_of(mallory.access_token or "")
        yield (
            f"`sub` is {victim} now; the signature is still that of her own token.",
            written(header, claims | {"sub": victim}, signature),
        )
        yield (
            "She adds the role `admin` to her own token.",
            written(header, claims | {"roles": ["admin"]}, signature),
        )
