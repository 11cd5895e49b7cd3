"""What does a person see whose login was stolen? The thief is out, and the pages say why."""

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.fixtures import Settings

from tests.browser.steps import log_in_by_form
from tests.browser.test_accessibility import complaints

pytestmark = pytest.mark.browser

WHY = re.compile(r"ended: new network and new browser at once, \d\d:\d\d")
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; rv:143.0) Gecko/20100101 Firefox/143.0"


@pytest.mark.thorough
def test_a_stolen_login_ends_and_its_user_reads_why(
    page: Page, context: BrowserContext, browser: Browser, site: str, key: str, settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = 1
    log_in_by_form(page, site, key)
    thief = browser.new_context(
        user_agent=WINDOWS,
        extra_http_headers={"X-Forwarded-For": "203.0.113.9"},
        storage_state=context.storage_state(),
    )
    stolen = thief.new_page()
    stolen.goto(f"{site}/{key}/devices/")
    expect(stolen.get_by_role("heading", level=1)).to_contain_text("Log in")
    expect(stolen.get_by_text(WHY)).to_have_count(0)
    thief.close()

    page.goto(f"{site}/{key}/profile/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Log in")
    log_in_by_form(page, site, key)
    expect(page.get_by_role("status").get_by_text(WHY)).to_be_visible()
    expect(page.get_by_role("region", name="Recent activity")).to_contain_text(WHY)
    page.goto(f"{site}/{key}/devices/")
    expect(page.get_by_role("region", name="Ended for you")).to_contain_text(WHY)
    assert complaints(page) == []
