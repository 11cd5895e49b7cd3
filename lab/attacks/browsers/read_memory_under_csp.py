"""What does a policy save of a token in the page's memory?"""

from __future__ import annotations

from lab.attacks.browsers.read_memory import LOOT
from lab.attacks.browsers.under_csp import UnderCsp


class ReadMemoryUnderCsp(UnderCsp):
    """Memory and a policy together: what the dual-token flow rests on in a browser (A63)."""

    key = "read-memory-under-csp"
    title = "Read the page's memory by XSS, under the Content-Security-Policy"
    story = (
        "The script that takes the access token out of the page's own object and has another one "
        "made, injected into the same page. This time the browser obeys the policy."
    )
    loot = LOOT
    learned = (
        "What was injected is text. Memory alone keeps a token from no script of the page; the "
        "policy is what keeps scripts from the page, and a short life bounds what gets past it."
    )
