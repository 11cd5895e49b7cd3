"""What if the thief refreshes before the victim does?"""

from __future__ import annotations

from lab.attacks.attack import SESSIONS, Attack, Group, Outcome, verdicts
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import NOTHING_TO_REFRESH, good
from lab.attacks.times import SHORT, after_the_grace


class RefreshFirst(Attack):
    """Attacker first: the thief holds the newer generation, the victim the older one."""

    key = "refresh-first"
    title = "Refresh with a copy before the owner does (attacker first)"
    group = Group.REUSE
    catalogue = ("A25",)
    story = (
        "Mallory refreshes her copy at once. Later ada's browser refreshes, with what is used up "
        "now. Does mallory go on?"
    )
    precondition = "A copy of the refresh token, or the session id."
    expected = verdicts(succeeds=SESSIONS, does_not_apply=("jwt-naive",))
    environment = SHORT

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        thief = scene.thief_of(ada)
        if not good(thief.refreshes("Mallory refreshes her copy.")):
            return scene.does_not_apply(NOTHING_TO_REFRESH)
        after_the_grace()
        ada.refreshes("Ada's browser refreshes with what it holds.")
        if not good(thief.refreshes("Mallory refreshes again.")):
            return scene.stopped(
                "A token that comes a second time means that two hold it: the whole login ended, "
                "mallory's part of it too. Ada has to log in again, and knows that something was."
            )
        ada.log_in("Ada is asked for her password, and logs in again in that browser.")
        after = good(thief.refreshes("Mallory refreshes once more."))
        until = (
            "and even ada's next login does not end it."
            if after
            else ("until ada logs in again in that browser, which ends what its old cookie led to.")
        )
        return scene.succeeds(
            "Ada was logged out, and nothing told the server that it was theft: a used session id "
            f"is refused, and that is all. Mallory goes on, {until}"
        )
