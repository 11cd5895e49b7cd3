"""What do all browser attacks have in common? A context of the browser, and a second site."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from lab.attacks.attack import Attack, Group, Outcome
from lab.attacks.browsers.chromium import chromium
from lab.attacks.browsers.second_site import second_site
from lab.attacks.browsers.visit import Visit
from lab.attacks.person import BROWSER
from lab.attacks.scene import Scene

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PATIENCE = 10_000


class BrowserAttack(Attack):
    """`without_csp`: the browser is told to ignore the policy, as if the page had none."""

    group = Group.BROWSER
    needs_browser = True
    without_csp: ClassVar[bool] = False

    def run(self, scene: Scene) -> Outcome:
        return chromium.run(lambda browser: self._run(browser, scene))

    def _run(self, browser: Browser, scene: Scene) -> Outcome:
        # The name of a browser that thieves use as well: they copy it together with the cookie.
        context = browser.new_context(bypass_csp=self.without_csp, user_agent=BROWSER)
        context.set_default_timeout(PATIENCE)
        try:
            with second_site() as mallorys:
                return self.attack(Visit(scene, context, mallorys))
        finally:
            context.close()

    @abstractmethod
    def attack(self, visit: Visit) -> Outcome:
        """Attack the strategy of the visit, and say what came of it."""
