"""What if another site submits our logout, for which SameSite does nothing?"""

from __future__ import annotations

from lab.attacks.browsers.forging import WEAK, forgeries
from lab.attacks.browsers.submit_a_form import SubmitAForm


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
