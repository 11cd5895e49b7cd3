"""What does SameSite help against a page of the same site?"""

from __future__ import annotations

from lab.attacks.browsers.forging import WEAK, Forgery, forgeries
from lab.attacks.browsers.second_site import Where


class SubmitFromASibling(Forgery):
    """A sibling subdomain that somebody took over, or another port: the same site (A48)."""

    key = "submit-from-a-sibling"
    title = "Submit a form from another origin of the same site"
    catalogue = ("A47", "A48")
    story = (
        "Mallory's page stands on another port of our own host. To SameSite that is the same site, "
        "as a sibling subdomain is: forgotten, rented out or taken over."
    )
    expected = forgeries(succeeds=WEAK)
    where = Where.SIBLING
    note = "Mallory's page, on another port of this host, has ada's browser submit the form."
    gained = (
        "The cookie came along, whether it says Lax or Strict: SameSite looks at the site, and "
        "this is the site. Nobody asked for a CSRF token."
    )
    learned = (
        "A cookie comes along, as SameSite allows within a site. The CSRF check holds: it asks for "
        "the origin, and for a token that only our own pages can read. A header comes from nobody."
    )
