"""What do all browser attacks have in common? A context of the browser, and a second site."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from lab.attacks.attack import Attack, Group, Outcome
from lab.attacks.browsers.chromium import chromium
from lab.attacks.browsers.second_site import second_site
from lab.attacks.browsers.visit import Visit
from lab.attacks.person import BROWSER
from lab.attacks.scene import Scene


class BrowserAttack(Attack):
    """`without_csp`: the browser is told to ignore the policy, as if the page had none.

    `third_parties`: its user allows third-party cookies, as many do.
    """

    group = Group.BROWSER
    needs_browser = True
    without_csp: ClassVar[bool] = False
    third_parties: ClassVar[bool] = False

    def run(self, scene: Scene) -> Outcome:
        return chromium.run(lambda: self._run(scene))

    def _run(self, scene: Scene) -> Outcome:
        # The name of a browser that thieves use as well: they copy it together with the cookie.
        options = {"bypass_csp": self.without_csp, "user_agent": BROWSER}
        with (
            second_site() as mallorys,
            chromium.context(third_parties=self.third_parties, **options) as context,
        ):
            return self.attack(Visit(scene, context, mallorys))

    @abstractmethod
    def attack(self, visit: Visit) -> Outcome:
        """Attack the strategy of the visit, and say what came of it."""
