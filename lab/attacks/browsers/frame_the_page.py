"""What if our page is shown inside of another one, where a click means something else?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.attacks.attack import Outcome, verdicts
from lab.attacks.browsers.on_a_page import BrowserAttack
from lab.attacks.browsers.second_site import Where
from lab.attacks.browsers.visit import Visit, setting

if TYPE_CHECKING:
    from playwright.sync_api import Page


class FrameThePage(BrowserAttack):
    """Clickjacking: the page is there, and nobody sees it."""

    key = "frame-the-page"
    title = "Show the page in an invisible frame (clickjacking)"
    catalogue = ("A47",)
    story = (
        "Mallory's page shows our page in a frame, to lay a button of her own under our logout. "
        "She tries it from another site, and from another port of the same host."
    )
    precondition = "Ada is logged in, and clicks something on a page of mallory's."
    expected = verdicts()

    def attack(self, visit: Visit) -> Outcome:
        visit.log_in()
        frame = f'<iframe src="{visit.client_page}"></iframe>'
        for where in (Where.ELSEWHERE, Where.SIBLING):
            page = visit.look(frame, where)
            if shows_our_page(page):
                return visit.scene.succeeds("Our page is drawn in mallory's: every click is hers.")
        return visit.scene.stopped(
            "The browser draws no page of ours in a frame of another origin, the same site or not.",
            held=setting("X_FRAME_OPTIONS"),
        )


def shows_our_page(page: Page) -> bool:
    return any(frame.locator("[data-client]").count() for frame in page.frames[1:])
