"""What does a person do in these tests, again and again?"""

from typing import Any

from playwright.sync_api import Locator, Page, expect

from accounts.contract.registry import flows

PASSWORD = "a-long-enough-password"
# Milliseconds: how fast a page is, these tests do not ask, and their machine may be busy.
PATIENCE = 30_000
TITLES = {flow.key: flow.title for flow in flows()}


def log_in_by_form(page: Page, site: str, key: str, after: str = "") -> None:
    """Log in on the flow's own page, and land on its profile or on the path `after`."""
    page.goto(f"{site}/{key}/login/" + (f"?next={after}" if after else ""))
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{site}{after or f'/{key}/profile/'}")


def column(page: Page, key: str) -> Locator:
    """The flow's column on the home page."""
    return page.get_by_role("region", name=TITLES[key], exact=True)


def state(column: Locator) -> Locator:
    """What the column says about who is logged in."""
    return column.locator("[data-part=state]")


def settled(column: Locator) -> Locator:
    """The column, once it is doing nothing any more."""
    expect(column).to_have_attribute("aria-busy", "false")
    return column


def log_in_at_home(page: Page, site: str, key: str) -> Locator:
    """Open the home page and log in in the flow's column."""
    if page.url != f"{site}/":
        page.goto(f"{site}/")
    here = settled(column(page, key))
    here.get_by_label("Username").fill("ada")
    here.get_by_label("Password", exact=True).fill(PASSWORD)
    here.get_by_role("button", name="Log in").click()
    expect(state(here)).to_have_text("Logged in as ada")
    return settled(here)


def press(column: Locator, verb: str) -> Locator:
    """Press a button of the column and wait for its end; returns the sentence that it says."""
    column.get_by_role("button", name=verb, exact=True).click()
    return settled(column).get_by_role("status")


def client(page: Page, key: str, expression: str) -> Any:
    """Evaluate JavaScript with `flow` bound to the flow's client in the page."""
    return page.evaluate(
        f"async () => {{ const flow = FlowClient.flows.get('{key}'); {expression} }}"
    )
