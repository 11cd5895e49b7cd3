"""Is a token safe from an injected script, if the page keeps it in memory only?"""

from __future__ import annotations

from lab.attacks.attack import SESSIONS, Outcome, verdicts
from lab.attacks.browsers.on_a_page import BrowserAttack
from lab.attacks.browsers.stealing import carry_out, opened_by
from lab.attacks.browsers.visit import Visit
from lab.attacks.held import source_of
from lab.strategies import jwt_in_cookie
from sessions_api.flow import Flow as SessionFlow

# The page's object is a global name. If it were not, the script would ask for a token of its own.
LOOT = "({ memory: flow.token, refreshed: (await flow.refresh()).body?.credential?.token ?? '' })"


class ReadMemory(BrowserAttack):
    """What "keep it in memory" gives, and what it does not give (A63)."""

    key = "read-memory"
    title = "Read the page's memory by XSS, and have a fresh token made"
    catalogue = ("A63",)
    story = (
        "A script of mallory's runs on ada's page. It takes the access token out of the page's "
        "own object, has the refresh cookie buy another one, and sends both to mallory."
    )
    precondition = "An XSS, and no Content-Security-Policy: the browser was told to ignore ours."
    expected = verdicts(succeeds=("jwt-naive", "jwt-expiry", "jwt-lookup", "jwt-push"))
    without_csp = True

    def attack(self, visit: Visit) -> Outcome:
        visit.inject(carry_out(LOOT, visit))
        visit.log_in()
        if opened_by(visit):
            return visit.scene.succeeds(
                "A script of the page reads what the page reads. Memory keeps a token from the "
                "next day and from the next tab, and from no script of the same page; what bounds "
                "the loss is the token's own short life."
            )
        hidden = SessionFlow._credential if visit.scene.strategy.key in SESSIONS else None
        return visit.scene.stopped(
            "No script ever gets a token that it could carry away: the cookie says it all.",
            held=source_of(hidden, "token=None")
            if hidden
            else source_of(jwt_in_cookie.hide_token, '"token": None'),
        )
