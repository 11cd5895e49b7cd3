"""What does a policy save of a token in localStorage?"""

from __future__ import annotations

from lab.attacks.browsers.read_storage import LOOT
from lab.attacks.browsers.under_csp import UnderCsp


class ReadStorageUnderCsp(UnderCsp):
    """The one wall between `jwt-naive` and the next XSS (A63)."""

    key = "read-storage-under-csp"
    title = "Read the storage by XSS, under the Content-Security-Policy"
    story = (
        "The script that reads all that the browser keeps for the site, injected into the same "
        "page. This time the browser obeys the policy that comes with it."
    )
    loot = LOOT
    learned = (
        "What was injected is text, and nobody read the storage. For a token in localStorage this "
        "is the only wall: one page without the policy, or one library that is served from here "
        "and was tampered with, and it is gone."
    )
