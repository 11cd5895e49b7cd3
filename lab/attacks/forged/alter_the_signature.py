"""What if a revoked token is written another way, with the same meaning?"""

from __future__ import annotations

from lab.attacks.attack import SESSIONS, Attack, Group, Outcome, verdicts
from lab.attacks.forged.forging import OPAQUE, bytes_of, encoded
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import NOTHING_TO_REFRESH

# The order of the curve P-256 (FIPS 186-4, D.1.2.3): with (r, s) is (r, n - s) a signature, too.
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def twin_of(token: str) -> str:
    """The same token with the other signature that ES256 has for it."""
    text, _, signature = token.rpartition(".")
    raw = bytes_of(signature)
    r, s = raw[:32], int.from_bytes(raw[32:], "big")
    return f"{text}.{encoded(r + (N - s).to_bytes(32, 'big'))}"


class AlterTheSignature(Attack):
    """A list of revoked texts would not know the twin."""

    key = "alter-the-signature"
    title = "Write a used token another way"
    group = Group.FORGED
    catalogue = ("A22",)
    story = (
        "Ada's browser refreshes twice. Mallory has the first refresh token, which is used up. She "
        "sends its twin: other letters, as good a signature; then one with padding."
    )
    precondition = "A used refresh token, and a server that signs with ES256."
    expected = verdicts(does_not_apply=(*SESSIONS, "jwt-naive"))

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        if ada.access_token is None:
            return scene.does_not_apply(OPAQUE)
        used = ada.refresh_token
        if used is None:
            return scene.does_not_apply(NOTHING_TO_REFRESH)
        ada.refreshes("Ada's browser refreshes.")
        ada.refreshes("And once more.")
        thief = scene.client("mallory", ada.username)
        got_in = False
        for note, text in (
            ("The used token with padding after it.", f"{used}="),
            ("Its twin: (r, n - s) instead of (r, s).", twin_of(used)),
        ):
            thief.put_cookie("refresh", text)
            got_in = thief.refreshes(note).is_success or got_in
        noticed = not ada.refreshes("Ada's browser refreshes again.").is_success
        if got_in or not noticed:
            return scene.succeeds("The list of used tokens knew the text, and not its twin.")
        return scene.stopped(
            "Tokens are known by their `jti`, not by their text: the twin counts as used, and "
            "ended the family as any reuse does."
        )
