"""Can a person log in, see who they are and log out, on the page that the attacks are made on?"""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import PASSWORD
from tests.browser.test_accessibility import complaints

pytestmark = pytest.mark.browser


@pytest.mark.thorough
@pytest.mark.parametrize("row", ["jwt-naive", "session-no-csrf", "jwt-lookup"])
def test_log_in_reload_and_log_out(page: Page, site: str, row: str) -> None:
    page.goto(f"{site}/lab/client/{row}/")
    state = page.get_by_role("status")
    page.get_by_role("button", name="Show my profile").click()
    expect(state).to_have_text("Log in first.")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(state).to_have_text("Logged in as ada.")
    expect(page.get_by_label("Password")).to_have_value("")
    in_storage = page.evaluate("localStorage.length")
    assert in_storage == (1 if row == "jwt-naive" else 0)
    page.reload()
    page.get_by_role("button", name="Show my profile").click()
    expect(state).to_have_text("Logged in as ada.")
    assert complaints(page) == []
    page.get_by_role("button", name="Log out").click()
    expect(state).to_have_text("Logged out.")
    assert page.evaluate("localStorage.length") == 0
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
