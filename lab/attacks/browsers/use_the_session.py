"""What if the injected script steals nothing, and uses the login where it is?"""

from __future__ import annotations

from lab.attacks.attack import SESSIONS, TOKENS, Outcome, verdicts
from lab.attacks.browsers.on_a_page import BrowserAttack
from lab.attacks.browsers.stealing import carry_out
from lab.attacks.browsers.visit import Visit

GRAFFITI = "mallory was here"
# What any script of the page may do: read the profile, get a CSRF token, and change the name.
USE = f"""({{
    profile: (await flow.me()).body.username,
    renamed: (await flow.rename("{GRAFFITI}")).status,
}})"""


class UseTheSession(BrowserAttack):
    """The half of XSS that no place to keep a credential helps against (A63)."""

    key = "use-the-session"
    title = "Act as the user by XSS, without stealing anything"
    catalogue = ("A63",)
    story = (
        "A script of mallory's runs on ada's page. It carries no secret away: it reads her "
        "profile and changes her name, from her own browser, by her own page."
    )
    precondition = "An XSS, and no Content-Security-Policy: the browser was told to ignore ours."
    expected = verdicts(succeeds=(*SESSIONS, *TOKENS))
    without_csp = True

    def attack(self, visit: Visit) -> Outcome:
        visit.inject(carry_out(USE, visit))
        visit.log_in()
        visit.mallorys.wait_for(visit.collector)
        name = visit.asks("What does ada's profile say now?", "me")["body"]["display_name"]
        if name == GRAFFITI:
            return visit.scene.succeeds(
                "A script of the page is the page. HttpOnly, SameSite, CSRF tokens and short lives "
                "keep the credential in the browser, and none of them asks whose script it is."
            )
        return visit.scene.stopped("The script of the page could not act as ada.")
