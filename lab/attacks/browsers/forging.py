"""How does another site act as the user? Its page makes her browser send a request (CSRF).

What decides is what the browser sends along by itself, and whether the server asks for more. The
verdict is ada's own: is she still logged in?
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import httpx

from jwt_api.authentication import Authentication
from lab.attacks.attack import Outcome, Source, Verdict, verdicts
from lab.attacks.browsers.on_a_page import BrowserAttack
from lab.attacks.browsers.second_site import Where
from lab.attacks.browsers.visit import Visit, setting
from lab.attacks.held import source_of
from lab.strategies import database_sessions, jwt_in_cookie

SESSIONS_WITHOUT = ("session-no-csrf", "session-samesite-none")
COOKIES_WITHOUT = ("jwt-cookie-no-csrf", "jwt-samesite-none")
WEAK = (*SESSIONS_WITHOUT, *COOKIES_WITHOUT)
ANY_SITE = ("session-samesite-none", "jwt-samesite-none")


def forgeries(*, succeeds: tuple[str, ...]) -> dict[str, Verdict]:
    """What is expected of all strategies, and of the weak variants that have lost something here.

    `jwt-naive` has no cookie that a browser would send by itself.
    """
    weak = {key: Verdict.SUCCEEDS if key in succeeds else Verdict.STOPPED for key in WEAK}
    return verdicts(does_not_apply=("jwt-naive",)) | weak


class Forgery(BrowserAttack):
    """A page of mallory's that ends ada's login, if it can."""

    precondition = "Ada is logged in, and opens a page of mallory's in the same browser."
    call: ClassVar[str] = "logout-all/"
    where: ClassVar[Where]
    note: ClassVar[str]
    gained: ClassVar[str]
    learned: ClassVar[str]

    def page(self, target: str) -> str:
        """The HTML that attacks the URL `target`."""
        return f'<form method="post" action="{target}"></form><script>{SUBMIT}</script>'

    def attack(self, visit: Visit) -> Outcome:
        if self.expected[visit.scene.strategy.key] is Verdict.DOES_NOT_APPLY:
            return visit.scene.does_not_apply(
                "The browser sends no credential by itself: a script puts it into a header, and "
                "only a script of the site's own can."
            )
        visit.log_in()
        visit.lure(self.page(visit.base + visit.path + self.call), self.note, self.where)
        if visit.is_still_in():
            return visit.scene.stopped(self.learned, held=self.held(visit))
        return visit.scene.succeeds(self.gained)

    def held(self, visit: Visit) -> Source | None:
        """What kept the request from being ada's; None where the server's log says it."""
        forged = next(each for each in visit.scene.evidence() if each.who == "mallory")
        if forged.status == httpx.codes.FORBIDDEN:
            return None
        return carrier_of(visit.scene.strategy.key)


BY_HEADER = ("jwt-expiry", "jwt-lookup", "jwt-push")
DELIVERED_BY: dict[str, Callable[..., Any]] = {
    "session-database": database_sessions.Flow.deliver,
    "jwt-cookie": jwt_in_cookie.Flow.deliver,
}
SUBMIT = "document.forms[0].submit()"


def carrier_of(key: str) -> Source:
    """Where it is said how far the strategy's credential travels by itself."""
    if key in BY_HEADER:
        return source_of(Authentication.authenticate, "bearer_token(request)")
    if key in DELIVERED_BY:
        return source_of(DELIVERED_BY[key], "samesite=")
    sessions = key.startswith("session")
    return setting("SESSION_COOKIE_SAMESITE" if sessions else "REFRESH_COOKIE_SAMESITE")
