"""What if the script that would use the login was injected into a page with a policy?"""

from __future__ import annotations

from lab.attacks.browsers.under_csp import UnderCsp
from lab.attacks.browsers.use_the_session import USE


class InjectUnderCsp(UnderCsp):
    """The one thing that helps against `use-the-session` (A63)."""

    key = "inject-under-csp"
    title = "The same XSS, under the Content-Security-Policy"
    story = (
        "The same injection into the same page, and the browser obeys the policy that comes with "
        "it: scripts are files of this site, and nothing else is one."
    )
    loot = USE
    learned = "The browser ran no script but the site's own files: what was injected is text."
