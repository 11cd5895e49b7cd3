"""What can an image do, or a link, or a browser that fetches pages ahead of a click?"""

from __future__ import annotations

from accounts.contract.views import ContractView
from lab.attacks.attack import Source
from lab.attacks.browsers.forging import Forgery, forgeries
from lab.attacks.browsers.second_site import Where
from lab.attacks.browsers.visit import Visit
from lab.attacks.held import source_of


class LogOutByGet(Forgery):
    """Whatever changes something by GET is done by everybody who looks (A52)."""

    key = "log-out-by-get"
    title = "Log the user out by an image and by a link"
    catalogue = ("A52",)
    story = (
        "Mallory's page shows an image whose address is our logout, and then follows it as a link. "
        "Both are GET, and to both of them the browser adds what cookies it may."
    )
    call = "logout/"
    expected = forgeries(succeeds=())
    where = Where.SIBLING
    note = "Mallory's page has ada's browser fetch this as an image, and then go there."
    gained = "A GET has ended the login: any image on any page can do that."
    learned = "Logout is POST and nothing else: a GET is 405, whoever sends it."

    def page(self, target: str) -> str:
        then = f"onerror=\"location = '{target}'\""
        return f'<img alt="" src="{target}" {then}>'

    def held(self, visit: Visit) -> Source | None:
        return source_of(ContractView.perform_authentication, "self.http_method_not_allowed")
