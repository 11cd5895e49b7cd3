"""Can a person do everything in both columns of the home page, and see what happened?"""

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.browser.steps import PASSWORD, TITLES, column, log_in_at_home, press, settled, state

pytestmark = pytest.mark.browser


def test_a_column_from_login_to_logout(page: Page, site: str, key: str) -> None:
    here = log_in_at_home(page, site, key)
    expect(press(here, "whoami")).to_contain_text("You are user")
    expect(press(here, "me")).to_contain_text("You are Ada.")
    expect(press(here, "refresh")).to_contain_text("fresh credential")

    here.get_by_label("Display name").fill("Countess")
    here.get_by_label("Display name").press("Enter")
    expect(here.get_by_role("status")).to_contain_text("“Countess”")

    expect(press(settled(here), "devices")).to_contain_text("one device")
    expect(here.get_by_text("this one", exact=True)).to_be_visible()
    expect(here.get_by_text("What the server holds")).to_be_visible()
    expect(here.locator("[data-part=server] li").first).to_be_visible()

    expect(press(here, "Log out")).to_contain_text("You are logged out.")
    expect(state(here)).to_have_text("Not logged in")
    expect(press(here, "whoami")).to_contain_text("Log in first.")


def test_a_button_of_both_sides_is_pressed_on_both_sides(page: Page, site: str, ada: User) -> None:
    ada.set_password("ada-demo-password")  # the forms have it filled in
    ada.save()
    page.goto(site)
    both = page.get_by_role("group", name="On both sides")
    said = {
        "Log in as ada": "You are logged in as ada.",
        "whoami": "You are user",
        "me": "You are Ada.",
        "devices": "You are logged in on 2 devices",
        "Log out": "You are logged out.",
    }
    assert both.get_by_role("button").all_inner_texts() == list(said)
    for key in TITLES:
        settled(column(page, key))
    for button, words in said.items():
        both.get_by_role("button", name=button, exact=True).click()
        for key in TITLES:
            expect(settled(column(page, key)).get_by_role("status")).to_contain_text(words)


@pytest.mark.thorough
def test_log_out_everywhere_ends_the_other_column_too(page: Page, site: str, key: str) -> None:
    for each in TITLES:
        log_in_at_home(page, site, each)
    press(column(page, key), "Log out everywhere")
    for each in TITLES:
        # `me` reads the user's row and compares the epoch, so that no flow is behind here.
        expect(press(column(page, each), "me")).to_contain_text("Log in")


@pytest.mark.thorough
def test_a_device_is_ended_from_the_other_column(page: Page, site: str, key: str) -> None:
    for each in TITLES:
        log_in_at_home(page, site, each)
    here = column(page, key)
    press(here, "devices")
    other = next(title for each, title in TITLES.items() if each != key)
    here.get_by_role("button", name=f"End {other} on").click()
    expect(here.get_by_text("Ended.", exact=False).first).to_be_visible()
    expect(press(settled(here), "devices")).to_contain_text("one device")


@pytest.mark.thorough
def test_the_password_is_changed_and_this_device_goes_on(page: Page, site: str, key: str) -> None:
    here = log_in_at_home(page, site, key)
    here.get_by_text("Change the password").click()
    here.get_by_label("Current password").fill(PASSWORD)
    here.get_by_label("New password").fill("another-long-password")
    here.get_by_label("New password").press("Enter")
    expect(here.get_by_role("status")).to_contain_text("Your password is changed.")
    expect(press(settled(here), "me")).to_contain_text("You are Ada.")


def test_a_refusal_is_said_calmly(page: Page, site: str, key: str) -> None:
    page.goto(site)
    here = settled(column(page, key))
    here.get_by_label("Username").fill("ada")
    here.get_by_label("Password", exact=True).fill("wrong")
    here.get_by_role("button", name="Log in").click()
    expect(here.get_by_role("status")).to_contain_text("is not right. Check both")


@pytest.mark.thorough
def test_every_exchange_is_shown_with_its_headers(page: Page, site: str, key: str) -> None:
    here = log_in_at_home(page, site, key)
    press(here, "whoami")
    newest = here.get_by_role("list", name="last exchange").get_by_role("listitem")
    expect(newest).to_contain_text(f"GET /api/{key}/whoami/")
    expect(newest).to_contain_text("HTTP 200")
    expect(newest).to_contain_text("Content-Type: application/json")
    expect(newest).to_contain_text("no script sees it")
    expect(newest).to_contain_text('"device"')
    here.get_by_text("Earlier exchanges").click()
    earlier = here.get_by_role("list", name="earlier exchanges").get_by_role("listitem")
    expect(earlier.first).to_contain_text(f"POST /api/{key}/login/")


@pytest.mark.thorough
def test_a_second_click_is_not_a_second_login(page: Page, site: str, key: str) -> None:
    page.goto(site)
    here = settled(column(page, key))
    here.get_by_label("Username").fill("ada")
    here.get_by_label("Password", exact=True).fill(PASSWORD)
    here.get_by_role("button", name="Log in").dblclick()
    expect(state(here)).to_have_text("Logged in as ada")
    expect(press(settled(here), "devices")).to_contain_text("one device")


def test_the_theme_can_be_switched_and_is_remembered(page: Page, site: str) -> None:
    page.goto(site)
    page.get_by_role("button", name="Switch to the dark theme").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.thorough
@pytest.mark.parametrize("width", [320, 640, 1440])
def test_nothing_overflows(page: Page, site: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    for each in TITLES:
        log_in_at_home(page, site, each)
        press(column(page, each), "devices")
    assert page.evaluate("document.documentElement.scrollWidth") == width
