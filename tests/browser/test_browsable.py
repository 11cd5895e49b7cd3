"""Can a person use the API by hand in both flows, each with that flow's own credential?"""

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.steps import TITLES, log_in_by_form

pytestmark = [pytest.mark.thorough, pytest.mark.browser]


def test_me_is_changed_by_hand(page: Page, site: str, key: str) -> None:
    page.goto(f"{site}/api/{key}/me/")
    expect(page.get_by_text("HTTP 401")).to_be_visible()
    page.get_by_role("link", name="Log in").click()
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("a-long-enough-password")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{site}/api/{key}/me/")
    expect(page.get_by_text("HTTP 200 OK")).to_be_visible()
    expect(page.get_by_label("JSON")).to_have_value('{\n  "display_name": "Ada"\n}')
    page.get_by_label("JSON").fill('{"display_name": "Countess"}')
    page.get_by_role("button", name="PATCH").click()
    expect(page.get_by_role("region", name="Answer")).to_contain_text('"Countess"')


def test_a_device_is_deleted_by_hand(
    page: Page, context: BrowserContext, site: str, key: str
) -> None:
    log_in_by_form(page, site, key)
    other = next(each for each in TITLES if each != key)
    log_in_by_form(context.new_page(), site, other)
    page.goto(f"{site}/api/{key}/devices/")
    answer = page.get_by_role("region", name="Answer")
    expect(answer).to_contain_text(f'"flow": "{other}"')
    page.get_by_text("Each has a page of its own").get_by_role("link").first.click()
    page.get_by_role("button", name="DELETE").click()
    expect(answer).to_contain_text("HTTP 204")
    page.goto(f"{site}/api/{key}/devices/")
    expect(answer).not_to_contain_text(f'"flow": "{other}"')


def test_no_flow_opens_the_other_s_door(page: Page, site: str, key: str) -> None:
    log_in_by_form(page, site, key)
    other = next(each for each in TITLES if each != key)
    page.goto(f"{site}/api/{other}/me/")
    page.wait_for_load_state("networkidle")
    expect(page.get_by_text("HTTP 401")).to_be_visible()
    expect(page.get_by_role("button", name="PATCH")).to_have_count(0)


def test_bad_json_is_answered_on_the_page(page: Page, site: str, key: str) -> None:
    log_in_by_form(page, site, key, after=f"/api/{key}/me/")
    page.get_by_label("JSON").fill('{"display_name": 17}')
    page.get_by_role("button", name="PATCH").click()
    expect(page.get_by_role("region", name="Answer")).to_contain_text("HTTP 400")


def test_the_swagger_page_works_offline(page: Page, site: str) -> None:
    page.goto(f"{site}/api/docs/")
    expect(page.get_by_text("/api/jwt/whoami/")).to_be_visible()
