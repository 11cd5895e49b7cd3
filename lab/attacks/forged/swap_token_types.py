"""What if a refresh token is used as an access token, or the other way round?"""

from __future__ import annotations

from lab.attacks.attack import SESSIONS, Attack, Group, Outcome, verdicts
from lab.attacks.forged.forging import OPAQUE
from lab.attacks.scene import Scene


class SwapTokenTypes(Attack):
    """Both are signed with the same key, and one lives for weeks."""

    key = "swap-token-types"
    title = "Use a refresh token as an access token"
    group = Group.FORGED
    catalogue = ("A18",)
    story = (
        "Mallory presents the refresh token where an access token belongs, to have one for weeks; "
        "then the access token where the refresh token belongs, to have new ones for ever."
    )
    precondition = "A copy of one of the two tokens."
    expected = verdicts(succeeds=("jwt-no-type-check",), does_not_apply=(*SESSIONS, "jwt-naive"))

    def run(self, scene: Scene) -> Outcome:
        mallory = scene.person("mallory")
        mallory.log_in()
        access, refresh = mallory.access_token, mallory.refresh_token
        if access is None:
            return scene.does_not_apply(OPAQUE)
        if refresh is None:
            return scene.does_not_apply("There is one kind of token: nothing to mix up.")
        mallory.present(refresh)
        took_refresh = mallory.asks("The refresh token as an access token.").is_success
        mallory.present(access)
        mallory.put_cookie("refresh", access)
        took_access = mallory.refreshes("The access token in the refresh cookie.").is_success
        if took_refresh or took_access:
            return scene.succeeds("The kinds of tokens are not told apart: the longest life wins.")
        return scene.stopped(
            "They differ three times, in `typ`, in `use` and in `aud`, and each is checked."
        )
