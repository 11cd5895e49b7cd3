"""What does a script find that was injected into the page, in all places that keep something?"""

from __future__ import annotations

from lab.attacks.attack import SESSIONS, Outcome, Source, verdicts
from lab.attacks.browsers.forging import DELIVERED_BY
from lab.attacks.browsers.on_a_page import BrowserAttack
from lab.attacks.browsers.stealing import carry_out, opened_by
from lab.attacks.browsers.visit import Visit, line_of
from lab.attacks.held import source_of
from sessions_api.middleware import SessionMiddleware

LOOT = """({
    local: { ...localStorage },
    session: { ...sessionStorage },
    cookies: document.cookie,
})"""


class ReadStorage(BrowserAttack):
    """The attack that every article on tokens in localStorage warns of (A63, first half)."""

    key = "read-storage"
    title = "Read localStorage, sessionStorage and the cookies by XSS"
    catalogue = ("A63",)
    story = (
        "A script of mallory's runs on ada's page. It reads all that the browser keeps for the "
        "site and lets a script see, and sends it to mallory, who tries it from her own machine."
    )
    precondition = "An XSS, and no Content-Security-Policy: the browser was told to ignore ours."
    expected = verdicts(succeeds=("jwt-naive",))
    without_csp = True

    def attack(self, visit: Visit) -> Outcome:
        visit.inject(carry_out(LOOT, visit))
        visit.log_in()
        if opened_by(visit):
            return visit.scene.succeeds(
                "What stands in localStorage is every script's. One line of somebody else's code, "
                "and the token works on another machine, for as long as it lives."
            )
        return visit.scene.stopped(
            "The script read everything that it may read, and no credential was among it.",
            held=_keeps_it_away(visit.scene.strategy.key),
        )


def _keeps_it_away(key: str) -> Source:
    if key in DELIVERED_BY:
        return source_of(DELIVERED_BY[key], "httponly=True")
    if key in SESSIONS:
        return source_of(SessionMiddleware.process_response, "super().process_response")
    # In a field of an object, and in no storage.
    return line_of("accounts/static/accounts/flow_client.js", "Object.assign(this, { token, ends")
