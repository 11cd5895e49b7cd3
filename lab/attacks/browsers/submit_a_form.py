"""What if another site submits a form to us, in the user's browser?"""

from __future__ import annotations

from lab.attacks.browsers.forging import ANY_SITE, WEAK, Forgery, forgeries
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


class SubmitALogout(SubmitAForm):
    """The one call for which SameSite does nothing: its effect is in the answer."""

    key = "submit-a-logout"
    title = "Delete the user's cookie by a form from another site"
    story = (
        "The form's address is our logout this time, which answers everybody alike, and takes the "
        "cookie out of the browser: also where the browser had not sent it."
    )
    call = "logout/"
    expected = forgeries(succeeds=WEAK)
    gained = (
        "SameSite decides whether the cookie is sent. The answer to a page that the browser goes "
        "to may delete it all the same: ada is logged out, whatever SameSite says."
    )
    learned = "The CSRF check refuses a logout that nobody asked for, and the cookie stays."
