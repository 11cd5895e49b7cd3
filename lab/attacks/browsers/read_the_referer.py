"""What does another site learn when somebody follows a link of ours to it?"""

from __future__ import annotations

from lab.attacks.attack import Outcome, verdicts
from lab.attacks.browsers.on_a_page import BrowserAttack
from lab.attacks.browsers.visit import Visit, setting
from lab.staging.processes import StageError

SECRET = "a-secret-that-somebody-put-into-the-address"  # noqa: S105
LINK = """(url) => {
    const link = document.createElement("a");
    link.href = url;
    document.body.append(link);
    link.click();
}"""


class ReadTheReferer(BrowserAttack):
    """Why no secret belongs into an address (A53)."""

    key = "read-the-referer"
    title = "Read the address of the page that led here (Referer)"
    catalogue = ("A53",)
    story = (
        "Ada's page has a secret in its address, as it has where a token was put into a link. "
        "She follows a link to mallory's site, and mallory reads where she came from."
    )
    precondition = "A page with a secret in its address, and a link to another site."
    expected = verdicts()

    def attack(self, visit: Visit) -> Outcome:
        visit.log_in()
        visit.page.goto(f"{visit.client_page}?token={SECRET}")
        collector = visit.mallorys.collector()
        visit.page.evaluate(LINK, visit.mallorys.url(collector))
        caught = visit.mallorys.wait_for(collector)
        if not caught:
            raise StageError("the link was not followed")
        seen = caught[0].referer
        visit.scene.note("mallory", f"She reads the Referer: {seen or 'there is none'}.")
        if SECRET in seen:
            return visit.scene.succeeds("The whole address came along, and what stood in it.")
        return visit.scene.stopped(
            "Referrer-Policy: same-origin. Another site is not told where its visitor came from.",
            held=setting("SECURE_REFERRER_POLICY"),
        )
