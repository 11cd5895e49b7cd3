"""Is an injected script run at all, with the policy that the site really sends?"""

from __future__ import annotations

from typing import ClassVar

from lab.attacks.attack import Outcome, verdicts
from lab.attacks.browsers.on_a_page import BrowserAttack
from lab.attacks.browsers.stealing import carry_out
from lab.attacks.browsers.visit import Visit, setting
from lab.staging.processes import StageError


class UnderCsp(BrowserAttack):
    """The twin of an attack by XSS: the same `loot`, and the browser obeys the policy."""

    catalogue = ("A63",)
    precondition = "A template that does not escape. The policy is the one that the site sends."
    expected = verdicts()
    loot: ClassVar[str]
    learned: ClassVar[str]

    def attack(self, visit: Visit) -> Outcome:
        said: list[str] = []
        visit.page.on("console", lambda message: said.append(message.text))
        visit.inject(carry_out(self.loot, visit))
        visit.log_in()
        refused = next((text for text in said if "Content Security Policy" in text), None)
        if refused is not None:
            # Its second sentence is about what the page could allow, and names a hash.
            visit.scene.note("mallory", f"Ada's browser says: {refused.partition('. ')[0]}.")
            return visit.scene.stopped(self.learned, held=setting("CONTENT_SECURITY_POLICY"))
        if visit.mallorys.wait_for(visit.collector):
            return visit.scene.succeeds("The browser ran a script that is no file of this site.")
        raise StageError("the injected script was neither refused nor run")
