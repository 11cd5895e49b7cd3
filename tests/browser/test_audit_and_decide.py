"""Can somebody audit a site by its page, and decide by another, by keyboard and telephone?"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_accessibility import complaints
from tests.deployment import deployed

pytestmark = [
    pytest.mark.browser,
    pytest.mark.thorough,  # a whole audit, by real processes
    pytest.mark.timeout(300),
]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A deployment of its own: the audit starts one more server of it."""
    # The project's own settings: those of the tests serve no static files.
    with deployed(tmp_path, DJANGO_SETTINGS_MODULE="authdemo.settings") as found:
        yield found.url


def fits_a_telephone(page: Page) -> bool:
    page.set_viewport_size({"width": 320, "height": 800})
    width: int = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size({"width": 1280, "height": 800})
    return width == 320


def test_a_walk_over_both_pages(page: Page, site: str) -> None:
    page.goto(f"{site}/lab/audit/")
    status = page.get_by_role("main").get_by_role("status")
    expect(status).to_have_text("Nothing has been audited here yet.")
    assert complaints(page) == []

    run = page.get_by_role("button", name="Run the audit")
    run.focus()
    page.keyboard.press("Enter")
    expect(status).to_contain_text("An audit runs.")
    expect(run).to_be_disabled()
    page.request.post(f"{site}/lab/audit/")  # without the CSRF token: it begins nothing
    expect(status).to_contain_text("12 pass", timeout=200_000)
    point = page.locator("#jwt-revocation")
    point.locator("summary").press("Enter")
    expect(point).to_contain_text("401 credential_reused")
    page.reload()
    expect(status).to_contain_text("12 pass")
    assert fits_a_telephone(page)
    page.locator(".point").evaluate_all("points => points.forEach((point) => (point.open = true))")
    assert complaints(page) == []

    page.get_by_role("link", name="Decide").click()
    expect(page.get_by_role("main")).to_contain_text("Nothing is answered yet")
    page.get_by_label("Within a few seconds").press("Space")
    page.get_by_label("Several services of ours").press("Space")
    page.keyboard.press("Enter")
    answer = page.locator("#answer")
    expect(answer).to_contain_text("A tie")
    page.get_by_label("5 ms: another region").check()
    page.get_by_role("button", name="Recommend").click()
    expect(answer).to_contain_text("jwt-push: JWT with a denylist in memory.")
    answer.get_by_role("link", name="It goes on while the issuer and its stores are away").click()
    expect(page.locator(":target")).to_contain_text("tests/jwt_api/test_two_services.py::")
    page.locator(":target").get_by_role("link").click()
    shown = page.get_by_role("heading", level=1)
    expect(shown).to_have_text("test_it_goes_on_while_the_issuer_and_its_stores_are_away")
    page.go_back()
    page.go_back()
    page.go_back()
    expect(answer).to_contain_text("A tie")
    assert fits_a_telephone(page)
    assert complaints(page) == []
    page.get_by_role("link", name="Start over").click()
    expect(page.get_by_role("main")).to_contain_text("Nothing is answered yet")
    expect(page.get_by_label("Within a few seconds")).not_to_be_checked()
