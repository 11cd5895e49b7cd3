"""How do the pages look? `make pictures` takes the pictures of README and docs anew.

No test, and `pytest` alone does not collect this file: whether a picture is good, somebody has to
look. The site is a deployment of its own, with the demo users; every request in the pictures was
made for them.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import pytest
from playwright.sync_api import Browser, Page, expect

from accounts.contract.registry import flows
from tests.deployment import deployed

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "images"
WIDE, HIGH = 1280, 900
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


class Picture(NamedTuple):
    """A page, and what is done on it before its picture is taken."""

    path: str
    prepare: Callable[[Page], None]
    high: int | None = None  # pixels; None: all of the page


def nothing(page: Page) -> None:
    """It is shown as it opens."""


def log_in(key: str) -> Callable[[Page], None]:
    """Log in by the flow's own page, and come back to where we were."""

    def prepare(page: Page) -> None:
        there = page.url
        page.get_by_label("Username").fill("ada")
        page.get_by_label("Password").fill("ada-demo-password")
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"**/{key}/profile/")
        page.goto(there.replace("login", "devices"))
        expect(page.get_by_role("button", name="Log out everywhere")).to_be_visible()

    return prepare


def log_in_on_both_sides(page: Page) -> None:
    """As ada, in each column; then one call by each."""
    for button in ("Log in as ada", "whoami"):
        page.locator(".both").get_by_role("button", name=button).click()
        for column in page.locator(".column").all():
            expect(column).to_have_attribute("aria-busy", "false")
            expect(column.locator("[data-part=state]")).to_have_text("Logged in as ada")
    for result in page.locator("[data-part=result]").all():
        expect(result).to_contain_text("You are user")


def revoke_on_both_sides(page: Page) -> None:
    """As ada in each column; then a login is ended, and the workers are asked."""
    log_in_on_both_sides(page)
    page.get_by_role("button", name="Revoke in every column").click()
    for verdict in page.locator("[data-part=verdict]").all():
        expect(verdict).to_contain_text(re.compile("after|until"), timeout=20_000)


def open_every_cell(page: Page) -> None:
    page.get_by_role("button", name="Open all").click()


def run_the_audit(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Run")).click()
    expect(page.get_by_role("status").first).to_contain_text("12 pass", timeout=120_000)


def forge_a_token(page: Page) -> None:
    """Ada's own token, in every way that the page knows."""
    page.get_by_role("button", name="Take mine").click()
    page.get_by_role("button", name="Log in as ada").click()
    expect(page.get_by_label("A token")).not_to_have_value("")
    page.get_by_role("button", name="Forge and send every one").click()
    expect(page.locator("[data-part=sent] [role=status]")).to_contain_text("forgeries got in")


PICTURES = {
    "home": Picture("/", log_in_on_both_sides, high=1640),
    "side-by-side": Picture("/lab/", revoke_on_both_sides, high=1640),
    "presenter": Picture("/lab/?present", revoke_on_both_sides, high=1640),
    "token": Picture("/lab/token/", forge_a_token, high=2600),
    "attacks": Picture("/lab/attacks/", open_every_cell, high=HIGH),
    "audit": Picture("/lab/audit/", run_the_audit),
    "decide": Picture("/lab/decide/", nothing, high=HIGH),
    **{f"{flow.key}-login": Picture(f"/{flow.key}/login/", nothing) for flow in flows()},
    **{f"{flow.key}-devices": Picture(f"/{flow.key}/login/", log_in(flow.key)) for flow in flows()},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("site")
    with deployed(folder, DJANGO_SETTINGS_MODULE="authdemo.settings") as deployment:
        yield deployment.url


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", PICTURES)
def test_picture(name: str, scheme: Literal["light", "dark"], site: str, browser: Browser) -> None:
    picture = PICTURES[name]
    context = browser.new_context(
        viewport={"width": WIDE, "height": picture.high or HIGH},
        color_scheme=scheme,
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(site + picture.path)
    picture.prepare(page)
    page.screenshot(path=FOLDER / f"{name}-{scheme}.png", full_page=picture.high is None)
    context.close()
