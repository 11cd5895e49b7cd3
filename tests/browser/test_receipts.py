"""Does a person see what an exchange cost the server, and which check refused it?"""

import json
import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.steps import PASSWORD, client, column, log_in_at_home, press, settled
from tests.browser.test_accessibility import complaints

pytestmark = pytest.mark.browser


def receipt(here: Locator) -> Locator:
    """The receipt of the newest exchange in a column."""
    return here.locator("[data-part=newest]").get_by_role("region", name="Receipt")


def copied(page: Page, here: Locator, what: str) -> str:
    receipt(here).get_by_role("button", name=f"Copy as {what}").click()
    expect(receipt(here).locator(".said")).to_contain_text("copied")
    return page.evaluate("navigator.clipboard.readText()")


def test_a_receipt_stands_under_each_exchange(page: Page, site: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    here = log_in_at_home(page, site, "sessions")
    press(here, "whoami")
    expect(receipt(here)).to_contain_text("9 checks, all passed")
    receipt(here).get_by_text("1 command").click()
    expect(receipt(here)).to_contain_text(re.compile(r"MGET session:\{\d+\}:[\w-]{4}… user:"))
    diagram = copied(page, here, "Mermaid")
    assert diagram.startswith("sequenceDiagram\n")
    assert "S->>R: MGET session:" in diagram

    receipt(here).get_by_text("9 checks").click()
    receipt(here).get_by_role("button", name="Show the code of the check epoch").click()
    dialog = page.get_by_role("dialog", name="accounts/snapshots.py")
    expect(dialog).to_contain_text("def admits(self, epoch: int | None) -> bool:")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    receipt(here).get_by_role("button", name="Show the code", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("def get(self, request: Request)")
    page.get_by_role("button", name="Close").click()


def test_the_code_of_a_check_opens_as_a_page(page: Page, site: str) -> None:
    here = log_in_at_home(page, site, "sessions")
    press(here, "whoami")
    receipt(here).get_by_text("9 checks").click()
    receipt(here).get_by_role("button", name="Show the code of the check epoch").click()
    shown = page.get_by_role("dialog").locator("[aria-current]").inner_text()
    page.get_by_role("link", name="Open as a page").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("admits")
    code = page.get_by_role("list", name="accounts/snapshots.py")
    expect(code).to_contain_text("def admits(self, epoch: int | None) -> bool:")
    expect(code.locator("[aria-current]")).to_have_text(shown)
    assert complaints(page) == []
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.thorough
def test_the_check_that_refused_is_shown_at_once(page: Page, site: str, key: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(site)
    here = settled(column(page, key))
    here.get_by_label("Username").fill("ada")
    here.get_by_label("Password", exact=True).fill('wr"ong $HOME')
    press(here, "Log in")
    expect(receipt(here)).to_contain_text("refused by “password”")
    expect(receipt(here).get_by_text("The account may log in")).to_be_visible()
    curl = copied(page, here, "curl")
    assert curl.startswith(f'curl -i -X POST "{site}/api/{key}/login/"')
    assert '--data "{\\"username\\":\\"ada\\",\\"password\\":\\"$PASSWORD\\"}"' in curl
    assert "X-CSRFToken: $CSRF" in curl
    assert "wr" not in curl
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert complaints(page) == []


def test_the_timeline_tells_of_both_and_no_secret(page: Page, site: str) -> None:
    for key in ("sessions", "jwt"):
        press(log_in_at_home(page, site, key), "whoami")
    timeline = page.get_by_role("log", name="Timeline of both")
    row = timeline.get_by_role("listitem").filter(has_text="/api/jwt/whoami/").last
    expect(row).to_contain_text("checks in")
    expect(row).to_contain_text("not asked")
    login = timeline.get_by_role("listitem").filter(has_text="POST /api/sessions/login/")
    expect(login).to_contain_text("login-limit:")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as JSON").click()
    exported = download.value.path().read_text()
    assert {each["flow"] for each in json.loads(exported)} == {"sessions", "jwt"}
    token = client(page, "jwt", "return flow.token")
    cookies = [cookie["value"] for cookie in page.context.cookies()]
    assert [secret for secret in [token, PASSWORD, *cookies] if secret in exported] == []

    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("region", name="Timeline").get_by_role(
        "button", name="Copy as Mermaid"
    ).click()
    expect(page.get_by_text("The diagram is copied.")).to_be_visible()
    diagram = page.evaluate("navigator.clipboard.readText()")
    for flow in ("sessions", "jwt"):
        assert f"B->>S: POST /api/{flow}/login/" in diagram
    assert [secret for secret in [token, PASSWORD, *cookies] if secret in diagram] == []

    page.get_by_role("button", name="Pause").click()
    press(column(page, "jwt"), "me")
    page.get_by_role("button", name="Go on (1 waiting)").click()
    expect(timeline.get_by_role("listitem").last).to_contain_text("/api/jwt/me/")
    page.get_by_role("button", name="Clear").click()
    expect(timeline).to_have_text("Nothing yet. Press a button above.")
