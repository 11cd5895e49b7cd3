"""Can a person log in, look, change and leave on each flow's own pages, in the same way?"""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from accounts.models import User
from tests.browser.steps import PASSWORD, PATIENCE, TITLES, log_in_by_form

pytestmark = pytest.mark.browser


@pytest.fixture
def person(page: Page, site: str, key: str) -> Page:
    """A page on which ada has logged in by the flow's form."""
    log_in_by_form(page, site, key)
    return page


def test_the_profile_shows_who_and_what_happened(person: Page) -> None:
    expect(person.get_by_role("heading", level=1)).to_have_text("Ada")
    expect(person.get_by_role("region", name="Recent activity")).to_contain_text("logged in")


@pytest.mark.thorough
def test_the_display_name_is_changed(person: Page) -> None:
    person.get_by_role("textbox", name="Display name").fill("Countess")
    person.get_by_role("button", name="Change the name").click()
    expect(person.get_by_text("Your display name is changed.")).to_be_visible()
    expect(person.get_by_role("heading", level=1)).to_have_text("Countess")


@pytest.mark.thorough
def test_the_password_is_changed_and_the_page_goes_on(person: Page, ada: User) -> None:
    person.get_by_label("Current password").fill(PASSWORD)
    person.get_by_label("New password").fill("another-long-password")
    person.get_by_role("button", name="Change the password").click()
    expect(person.get_by_text("Your password is changed.")).to_be_visible()
    person.reload()
    expect(person.get_by_role("heading", level=1)).to_have_text("Ada")
    ada.refresh_from_db()
    assert ada.check_password("another-long-password")


@pytest.mark.thorough
def test_a_wrong_current_password_is_explained(person: Page) -> None:
    person.get_by_label("Current password").fill("wrong")
    person.get_by_label("New password").fill("another-long-password")
    person.get_by_role("button", name="Change the password").click()
    expect(person.get_by_text("This is not your current password.")).to_be_visible()


@pytest.mark.thorough
def test_devices_of_both_flows_are_ended_here(
    person: Page, context: BrowserContext, site: str, key: str
) -> None:
    other = next(each for each in TITLES if each != key)
    second = context.new_page()
    log_in_by_form(second, site, other)
    person.goto(f"{site}/{key}/devices/")
    row = person.get_by_role("row").filter(has_text=TITLES[other])
    expect(row).to_have_count(1)
    row.get_by_role("button", name="End").click()
    expect(person.get_by_text("Ended: Chrome on Linux.")).to_be_visible()
    expect(person.get_by_role("row").filter(has_text=TITLES[other])).to_have_count(0)
    second.goto(f"{site}/{other}/profile/")
    second.wait_for_url(f"{site}/{other}/login/?next=/{other}/profile/")


def test_ending_this_device_leads_to_the_login_page(person: Page, site: str, key: str) -> None:
    person.goto(f"{site}/{key}/devices/")
    row = person.get_by_role("row").filter(has_text="this one")
    row.get_by_role("button", name="End").click()
    expect(person.get_by_text("You have ended this device")).to_be_visible()
    person.goto(f"{site}/{key}/profile/")
    person.wait_for_url(f"{site}/{key}/login/?next=/{key}/profile/")


@pytest.mark.thorough
def test_log_out_everywhere(person: Page, context: BrowserContext, site: str, key: str) -> None:
    other = next(each for each in TITLES if each != key)
    second = context.new_page()
    log_in_by_form(second, site, other)
    person.goto(f"{site}/{key}/devices/")
    person.get_by_role("button", name="Log out everywhere").click()
    expect(person.get_by_text("You are logged out everywhere.")).to_be_visible()
    second.goto(f"{site}/{other}/profile/")
    second.wait_for_url(f"{site}/{other}/login/?next=/{other}/profile/")


@pytest.mark.thorough
def test_logout_asks_first(person: Page, site: str, key: str) -> None:
    person.goto(f"{site}/{key}/logout/")
    person.get_by_role("button", name="Log out").click()
    expect(person.get_by_text("You are logged out.")).to_be_visible()
    person.goto(f"{site}/{key}/devices/")
    person.wait_for_url(f"{site}/{key}/login/?next=/{key}/devices/")


def test_a_wrong_password_is_said_on_the_page(page: Page, site: str, key: str) -> None:
    page.goto(f"{site}/{key}/login/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("The username or the password is not right.")


@pytest.mark.thorough
def test_the_keyboard_is_enough_to_log_in(page: Page, site: str, key: str) -> None:
    page.goto(f"{site}/{key}/login/")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "username":
            break
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Log in"
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}/{key}/profile/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ada")


@pytest.fixture
def plain(browser: Browser, site: str) -> Iterator[Page]:
    """A page in a browser whose user has switched JavaScript off."""
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def test_the_sessions_pages_need_no_javascript(plain: Page, site: str) -> None:
    log_in_by_form(plain, site, "sessions")
    plain.get_by_role("textbox", name="Display name").fill("Countess")
    plain.get_by_role("button", name="Change the name").click()
    expect(plain.get_by_role("heading", level=1)).to_have_text("Countess")
    plain.goto(f"{site}/sessions/devices/")
    expect(plain.get_by_text("this one", exact=True)).to_be_visible()
    plain.goto(f"{site}/sessions/logout/")
    plain.get_by_role("button", name="Log out").click()
    expect(plain.get_by_text("You are logged out.")).to_be_visible()


def test_without_javascript_the_jwt_pages_say_why_they_cannot(plain: Page, site: str) -> None:
    log_in_by_form(plain, site, "jwt")
    expect(plain.get_by_text("This page needs JavaScript, and here is why")).to_be_visible()
    plain.goto(f"{site}/jwt/logout/")
    plain.get_by_role("button", name="Log out").click()
    expect(plain.get_by_text("You are logged out.")).to_be_visible()


def test_without_javascript_the_home_page_leads_to_the_login_pages(plain: Page, site: str) -> None:
    plain.goto(site)
    for title in TITLES.values():
        expect(plain.get_by_role("link", name=f"Log in with {title}")).to_be_visible()


@pytest.mark.thorough
def test_a_token_for_a_program_is_made_and_ended(page: Page, site: str) -> None:
    log_in_by_form(page, site, "jwt")
    page.goto(f"{site}/jwt/devices/")
    form = page.get_by_role("region", name="A token for a program")
    form.get_by_label("For which program").fill("report bot")
    form.get_by_label("Read your profile").check()
    form.get_by_label("For how long").select_option("7 days")
    form.get_by_role("button", name="Make a token").click()
    token = page.get_by_label("Token, good until").input_value()
    answer = httpx.get(f"{site}/api/jwt/me/", headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["username"] == "ada"
    page.reload()
    row = page.get_by_role("row").filter(has_text="report bot")
    expect(row).to_contain_text("at once")
    expect(page.get_by_label("Token, good until")).to_have_count(0)
    row.get_by_role("button", name="End").click()
    expect(page.get_by_text("Ended: report bot.")).to_be_visible()
    answer = httpx.get(f"{site}/api/jwt/me/", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
