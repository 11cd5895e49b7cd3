"""What if another site submits a form to us, in the user's browser?"""

from __future__ import annotations

from lab.attacks.browsers.forging import ANY_SITE, Forgery, forgeries
from lab.attacks.browsers.second_site import ELSEWHERE


class SubmitAForm(Forgery):
    """CSRF as it has been for twenty years (A47)."""

    key = "submit-a-form"
    title = "Submit a form from another site"
    catalogue = ("A47",)
    story = (
        "Ada opens a page on mallory's site. It holds an empty form with our logout as its "
        "address, and submits it at once, by itself. No site has to allow that."
    )
    expected = forgeries(succeeds=ANY_SITE)
    where = ELSEWHERE
    note = "Mallory's page has ada's browser submit the form."
    gained = (
        "The browser sent the cookie along, because SameSite=None says that it may, and the server "
        "asked for nothing else. Ada is logged out, and had only opened a page."
    )
    learned = (
        "Twice: Lax and Strict keep the cookie from a form that another site submits, and the CSRF "
        "check asks for a token that mallory cannot read, whether a cookie came or not."
    )
