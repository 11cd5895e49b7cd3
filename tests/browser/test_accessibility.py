"""Can everybody use the pages? axe looks at each of them, in both themes."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.steps import TITLES, column, log_in_at_home, log_in_by_form, press

pytestmark = [pytest.mark.thorough, pytest.mark.browser]

PUBLIC = ["/", "/api/csrf/", "/lab/mailbox/"]
# path and what stands on the page once it is complete
OF_A_FLOW = {
    "/{key}/login/": "Log in",
    "/{key}/logout/": "Stay logged in",
    "/{key}/signup/": "Send me the link",
    "/{key}/reset/": "Send me the link",
    "/{key}/profile/": "Recent activity",
    "/{key}/devices/": "Log out everywhere",
    "/api/{key}/login/": "HTTP 405",
    "/api/{key}/me/": "HTTP 200",
    "/api/{key}/devices/": "HTTP 200",
}


def complaints(page: Page) -> list[str]:
    """What axe finds serious or critical on the page as it stands, in either theme."""
    found = []
    for theme in ("light", "dark"):
        # Colours that are still fading would be measured halfway.
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        found += [
            f"{page.url} {theme}: {each['id']} {each['nodes'][0]['html'][:120]}"
            for each in Axe().run(page).response["violations"]
            if each["impact"] in ("serious", "critical")
        ]
    return found


def test_public_pages(page: Page, site: str) -> None:
    for path in PUBLIC:
        page.goto(f"{site}{path}")
        assert complaints(page) == []


def test_error_pages(browser: Browser, site: str) -> None:
    # In a context of its own: the console rightly complains about a 404.
    page = browser.new_page()
    for path in ("nothing-here/", "sessions/signup/link/"):
        page.goto(f"{site}/{path}")
        assert complaints(page) == []
    page.context.close()


def test_pages_of_a_flow(page: Page, site: str, key: str) -> None:
    log_in_by_form(page, site, key)
    for path, complete in OF_A_FLOW.items():
        page.goto(site + path.format(key=key))
        expect(page.get_by_role("main")).to_contain_text(complete)
        assert complaints(page) == []


def test_a_busy_home_page(page: Page, site: str) -> None:
    for key in TITLES:
        log_in_at_home(page, site, key)
        press(column(page, key), "devices")
    assert complaints(page) == []


def test_a_form_with_errors(page: Page, site: str, key: str) -> None:
    page.goto(f"{site}/{key}/login/")
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert complaints(page) == []


def test_the_report_of_a_benchmark(page: Page, tmp_path: Path) -> None:
    """It opens from a disk, asks nobody for anything, and fits a telephone."""
    from lab.benchmark.report import write  # without the lab the other tests go on
    from tests.lab import made_up

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    write(made_up.report(), tmp_path)
    address = (tmp_path / "report.html").as_uri()
    page.goto(address)
    assert complaints(page) == []
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert asked == [address]
