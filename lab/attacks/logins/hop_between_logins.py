"""Does each door of the site have attempts of its own?"""

from __future__ import annotations

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.logins.doors import PAGES, WRONG, by_form, was_judged
from lab.attacks.scene import Scene
from lab.attacks.times import ACCOUNT_LIMIT as LIMIT


class HopBetweenLogins(Attack):
    """A limit for each endpoint is a budget for each endpoint."""

    key = "hop-between-logins"
    title = "Guess at every door of the site in turn"
    group = Group.LOGIN
    catalogue = ("A58",)
    story = (
        f"Mallory uses up the {LIMIT} attempts at one door, and then goes to the others: the two "
        "flows' API, their pages, and this strategy."
    )
    precondition = "A username."
    expected = verdicts()

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        mallory = scene.client("mallory", ada.username)
        judged = sum(
            was_judged(mallory.log_in("A guess.", f"{WRONG}{number}")) for number in range(LIMIT)
        )
        wrong = {"username": ada.username, "password": WRONG}
        for door in ("/api/sessions/login/", "/api/jwt/login/"):
            token = mallory.fetch_csrf_token()
            headers = {"X-CSRFToken": token}
            answer = mallory.raw("At another door.", "POST", door, json=wrong, headers=headers)
            judged += was_judged(answer)
        for page in PAGES:
            judged += was_judged(by_form(mallory, "At a page's form.", page, WRONG))
        judged += was_judged(mallory.log_in("At this strategy's door again.", WRONG))
        if judged > LIMIT:
            return scene.succeeds(f"{judged} guesses were looked at: each door counts by itself.")
        return scene.stopped("All doors lead through one place, and the count stands there.")
