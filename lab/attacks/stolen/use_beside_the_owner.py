"""What is a copied credential good for while its owner goes on as usual?"""

from __future__ import annotations

from lab.attacks.attack import SESSIONS, TOKENS, Attack, Group, Outcome, verdicts
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import for_how_long, good


class UseBesideTheOwner(Attack):
    """The theft itself: what every other attack of this group begins with."""

    key = "use-beside-the-owner"
    title = "Use a copy while its owner uses the original"
    group = Group.STOLEN
    catalogue = ("A63",)
    story = (
        "Mallory has copied all that ada's browser holds, the name of the browser too, and is in "
        "the same network. Both go on; mallory renames ada."
    )
    precondition = "A copy of the credential, whole."
    expected = verdicts(succeeds=(*SESSIONS, *TOKENS))

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        thief = scene.thief_of(ada)
        read = thief.call("Mallory reads ada's profile.", "GET", "me/")
        name = {"display_name": "Mallory was here"}
        wrote = thief.call("Mallory changes ada's name.", "PATCH", "me/", name)
        ada.asks("Ada notices nothing.")
        if good(read) or good(wrote):
            return scene.succeeds(
                "Whoever holds a credential is its owner, to every server that asks for nothing "
                "else. What differs between the strategies is how this ends: see the other rows."
                f"{for_how_long(thief)}"
            )
        return scene.stopped("The copy was told from the original.")
