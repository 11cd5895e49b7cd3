"""Can a person guess, open a cell, read what happened, and filter the matrix of attacks?"""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pytest_django.fixtures import Settings

from lab.attacks import report
from tests.browser.test_accessibility import complaints

pytestmark = pytest.mark.browser


@pytest.mark.thorough
def test_guess_open_filter_and_forget(page: Page, site: str) -> None:
    page.goto(f"{site}/lab/attacks/")
    after_logout = "Use a copy after its owner logged out"
    cell = page.get_by_role("button", name=f"{after_logout}, jwt-expiry:")
    expect(cell).to_have_text("?")

    cell.press("Enter")
    here = page.get_by_role("dialog")
    expect(here).to_contain_text("Ada logs out.")
    here.get_by_role("button", name="stopped").click()
    expect(here).to_contain_text("It succeeds.")
    expect(here).to_contain_text("You had expected: stopped.")
    here.locator("summary").last.click()
    expect(here.locator("pre").last).to_contain_text("200")
    assert complaints(page) == []
    page.keyboard.press("Escape")
    expect(cell).to_have_text("✗ succeeds")
    expect(cell).to_be_focused()
    expect(page.get_by_role("status").first).to_have_text("0 of 1 guesses were right.")

    sessions = page.get_by_role("button", name=f"{after_logout}, session-redis:")
    sessions.click()
    here.get_by_role("button", name="stopped").click()
    expect(here).to_contain_text("You were right.")
    expect(here).to_contain_text("sessions_api/store.py:")
    here.get_by_role("button", name="Close").click()

    page.reload()
    expect(cell).to_have_text("✗ succeeds")
    expect(page.get_by_role("status").first).to_have_text("1 of 2 guesses was right.")

    page.get_by_role("radio", name="store attacks").check()
    expect(cell).to_be_hidden()
    expect(page.get_by_role("heading", name="Store attacks")).to_be_visible()
    page.get_by_role("button", name="Open all").click()
    expect(page.locator(".cell:visible", has_text="?")).to_have_count(0)
    assert complaints(page) == []
    page.get_by_role("button", name="Forget my guesses").click()
    page.get_by_role("radio", name="all").check()
    expect(cell).to_have_text("?")
    page.set_viewport_size({"width": 320, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.thorough  # a whole private site is started
def test_a_cell_that_was_not_run_is_run_now(
    page: Page, site: str, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.VAR_DIR = tmp_path
    monkeypatch.setenv("VAR_DIR", str(tmp_path))  # for the process that it starts
    monkeypatch.setattr(report, "committed", lambda: tmp_path / "none.json")
    page.goto(f"{site}/lab/attacks/")
    cell = page.get_by_role("button", name="Use a copy after its owner logged out, jwt-expiry:")
    expect(cell).to_have_text("not run")
    cell.click()
    here = page.get_by_role("dialog")
    expect(here).to_contain_text("This one has not been run yet.")
    run = here.get_by_role("button", name="Run it now")
    with page.expect_response(f"{site}/lab/attacks/run/") as begun:
        run.click()
    assert begun.value.status == 202
    expect(run).to_be_disabled()
    expect(here.get_by_role("status")).to_contain_text("A private site is started and attacked:")
    expect(here).to_contain_text("It succeeds.", timeout=90_000)
    expect(here).to_contain_text("Ada logs out.")
    expect(here.locator(".steps").get_by_role("listitem").first).to_be_visible()
    here.get_by_role("button", name="Close").click()
    expect(cell).to_have_text("✗ succeeds")
    page.reload()
    expect(cell).to_have_text("✗ succeeds")
    expect(page.get_by_role("main")).to_contain_text("This is from the last run on this machine")


def test_a_refusal_that_comes_as_a_page_says_so(page: Page, site: str) -> None:
    page.goto(f"{site}/lab/attacks/")
    page.get_by_role("button", name="Use a copy after its owner logged out, jwt-expiry:").click()
    here = page.get_by_role("dialog")
    here.get_by_role("button", name="stopped").click()
    page.context.clear_cookies()  # as a browser does that forgets them: the CSRF check refuses
    here.get_by_role("button", name="Run it now").click()
    expect(here.get_by_role("status")).to_have_text(
        "The server answered 403. Load this page again, then try again."
    )
