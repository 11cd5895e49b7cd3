"""Can a person sign up, set a forgotten password and change their address, with a real mailbox?"""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect
from pytest_django import Settings

from accounts.models import User
from authdemo import settings as site_settings
from lab.differences import difference
from tests.browser.steps import PASSWORD, TITLES, log_in_by_form

pytestmark = pytest.mark.browser

ADDRESS = "noor@example.org"
NEW = "seven-swallows-over-the-mill"


@pytest.fixture
def site(site: str, tmp_path: Path, settings: Settings) -> str:
    """The running site; its mails become files, as they do by default."""
    settings.EMAIL_BACKEND = site_settings.EMAIL_BACKEND
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    User.objects.update(email="ada@example.org")
    return site


def ask(page: Page, address: str) -> None:
    page.get_by_label("E-mail address").fill(address)
    page.get_by_role("button", name="Send me the link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mailbox")


def open_newest_link(page: Page) -> None:
    """From the mailbox of the lab, as from any other one."""
    page.get_by_role("link", name="Mailbox", exact=True).click()
    page.get_by_role("article").first.get_by_role("link").filter(has_text="token=").click()


@pytest.mark.thorough
def test_sign_up_mailbox_link_session(page: Page, site: str, key: str) -> None:  # F18
    page.goto(f"{site}/{key}/login/")
    page.get_by_role("link", name="Sign up").click()
    ask(page, ADDRESS)
    page.get_by_role("link", name="Open the mailbox of the lab").click()
    open_newest_link(page)
    link = page.url
    page.get_by_label("Display name").fill("Noor")
    page.get_by_label("New password").fill("short")
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_text("This password is too short.")).to_be_visible()
    assert "token" not in page.url
    page.get_by_label("New password").fill(NEW)
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Noor")
    expect(page.get_by_text("confirmed", exact=True)).to_be_visible()
    names = {cookie["name"] for cookie in page.context.cookies()}
    assert difference("cookie_name", key) in names
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("The link cannot be used")


@pytest.mark.thorough
def test_a_forgotten_password(page: Page, site: str, key: str) -> None:
    page.goto(f"{site}/{key}/login/")
    page.get_by_role("link", name="Forgot your password?").click()
    ask(page, "ada@example.org")
    open_newest_link(page)
    page.get_by_label("New password").fill(NEW)
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_text("Your password is changed. Log in with it")).to_be_visible()
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(NEW)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ada")


@pytest.mark.thorough
def test_another_address(page: Page, site: str, key: str) -> None:
    log_in_by_form(page, site, key)
    page.get_by_label("New e-mail address").fill(ADDRESS)
    page.get_by_label("Your password").fill("wrong")
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text("This is not your current password.")).to_be_visible()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text(f"A link is on its way to {ADDRESS}.")).to_be_visible()
    open_newest_link(page)
    page.get_by_role("button", name="Use this address").click()
    expect(page.get_by_text(f"Your e-mail address is now {ADDRESS}.")).to_be_visible()


def test_no_request_takes_the_link_along(page: Page, site: str) -> None:
    """Threat: a Referer is written into logs, ours or other people's."""
    page.goto(f"{site}/sessions/signup/")
    ask(page, ADDRESS)
    open_newest_link(page)
    told: list[tuple[str, str]] = []

    def note(request: Request) -> None:
        headers = request.all_headers()
        told.append((headers.get("referer", ""), headers.get("origin", "")))

    page.on("request", note)
    page.get_by_label("New password").fill(NEW)
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(ADDRESS)
    assert (f"{site}/", site) in told, "the form says where it comes from, and no more"
    assert [referer for referer, _ in told if "token" in referer] == []


@pytest.mark.thorough
def test_signing_up_needs_no_javascript(browser: Browser, site: str) -> None:  # D6
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/sessions/signup/")
    ask(page, ADDRESS)
    open_newest_link(page)
    page.get_by_label("New password").fill(NEW)
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(ADDRESS)
    context.close()


@pytest.mark.thorough
def test_the_twin_is_one_click_away(page: Page, site: str, key: str) -> None:
    other = next(each for each in TITLES if each != key)
    for path in ("signup", "reset"):
        page.goto(f"{site}/{key}/{path}/")
        page.get_by_role("link", name=f"The same page in {TITLES[other]}").click()
        page.wait_for_url(f"{site}/{other}/{path}/")
