"""How do the pages look? `make pictures` takes the pictures of README and docs anew.

No test, and `pytest` alone does not collect this file: whether a picture is good, somebody has to
look. The site is a deployment of its own, with the demo users; every request in the pictures was
made for them.
"""

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
    whole: bool = True


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
        expect(page.get_by_role("main")).to_contain_text("This device")

    return prepare


def log_in_on_both_sides(page: Page) -> None:
    """As ada, in each column; then one call by each."""
    page.get_by_role("button", name="Log in as ada").click()
    for state in page.locator("[data-part=state]").all():
        expect(state).to_have_text("Logged in as ada")
    page.get_by_role("group", name="On both sides").get_by_role("button", name="whoami").click()
    for status in page.get_by_role("region").get_by_role("status").all():
        expect(status).to_contain_text("You are user")


PICTURES = {
    "side-by-side": Picture("/", log_in_on_both_sides),
    **{f"{flow.key}-login": Picture(f"/{flow.key}/login/", nothing) for flow in flows()},
    **{f"{flow.key}-devices": Picture(f"/{flow.key}/login/", log_in(flow.key)) for flow in flows()},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with deployed(tmp_path_factory.mktemp("site")) as deployment:
        yield deployment.url


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", PICTURES)
def test_picture(name: str, scheme: Literal["light", "dark"], site: str, browser: Browser) -> None:
    picture = PICTURES[name]
    context = browser.new_context(
        viewport={"width": WIDE, "height": HIGH}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(site + picture.path)
    picture.prepare(page)
    page.screenshot(path=FOLDER / f"{name}-{scheme}.png", full_page=picture.whole)
    context.close()
