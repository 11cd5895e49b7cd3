"""What if another site submits a form to us, in the user's browser?"""

from __future__ import annotations

from lab.attacks.browsers.forging import ANY_SITE, Forgery, forgeries
from lab.attacks.browsers.second_site import Where


class SubmitAForm(Forgery):
    """CSRF as it has been for twenty years (A47)."""

    key = "submit-a-form"
    title = "Submit a form from another site"
    catalogue = ("A47",)
    story = (
        "Ada opens a page on mallory's site. It holds an empty form whose address is our "
        "logout-all, and submits it at once, by itself. No site has to allow that."
    )
    expected = forgeries(succeeds=ANY_SITE)
    where = Where.ELSEWHERE
    note = "Mallory's page has ada's browser submit the form."
    gained = (
        "The browser sent the cookie along, because SameSite=None says that it may, and the server "
        "asked for nothing else. Every login of ada's has ended, and she had only opened a page."
    )
    learned = (
        "The form came without a credential: Lax and Strict keep a cookie from what another site "
        "submits, and a token in a header is put there by nobody."
    )
