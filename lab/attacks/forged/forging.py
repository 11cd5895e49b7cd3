"""How is a token forged? What all the attacks of this folder share: texts, and who sends them."""

from __future__ import annotations

import base64
import json
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

import httpx

from lab.attacks.attack import SESSIONS, Attack, Group, Outcome, verdicts
from lab.attacks.person import Person
from lab.attacks.scene import Scene
from lab.weakened import Weakened

OPAQUE = "A session id says nothing about its holder, so there is nothing in it to forge."


def encoded(part: Any) -> str:
    """A segment of a token: bytes as they are, anything else as JSON."""
    raw = part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(segment: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes_of(segment))
    return found


def bytes_of(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Header, claims and signature, for whoever has a token: none of it is secret."""
    header, claims, signature = token.split(".")
    return decoded(header), decoded(claims), signature


def written(header: dict[str, Any], claims: Any, signature: bytes | str) -> str:
    last = signature if isinstance(signature, str) else encoded(signature)
    return f"{encoded(header)}.{encoded(claims)}.{last}"


class Forgery(Attack):
    """Mallory has an account of her own, and wants to be ada. `forged` gives what she sends."""

    group = Group.FORGED
    precondition = "An account of her own, whose token shows the attacker what ours look like."
    expected = verdicts(does_not_apply=SESSIONS)
    gained: str
    """The lesson where a forged token was taken."""
    learned: str
    """The lesson where none was."""

    @abstractmethod
    def forged(self, scene: Scene, mallory: Person, victim: str) -> Iterable[tuple[str, str]]:
        """What she does and the text that comes of it, one after the other.

        `victim` is what stands in `sub` of the token that she would like to have.
        """

    def run(self, scene: Scene) -> Outcome:
        victim = scene.person("ada")
        mallory = scene.person("mallory")
        mallory.log_in()
        if isinstance(scene.strategy, Weakened):
            victim.log_in("Ada logs in: a weak variant exposes only who uses it.")
        if mallory.access_token is None:
            return scene.does_not_apply(OPAQUE)
        got_in = False
        for note, text in self.forged(scene, mallory, str(scene.ids[victim.name])):
            mallory.present(text)
            try:
                answer = mallory.asks(note)
            except httpx.TransportError:
                continue  # cut off in the middle of the request: an answer of a kind
            got_in = got_in or self.is_taken(answer.status_code)
        return scene.succeeds(self.gained) if got_in else scene.stopped(self.learned)

    def is_taken(self, status: int) -> bool:
        """Whether an answer of this status means that the server was fooled."""
        return status < 400
