"""Is the lab for everybody: with a keyboard alone, and where there is no internet?"""

from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.steps import PASSWORD, settled

pytestmark = pytest.mark.browser

# What a person can do something with: by the mouse, and so by the keyboard too.
CONTROLS = """() => {
  const all = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';
  return [...document.querySelectorAll(all)].filter((each) =>
    each.checkVisibility({ visibilityProperty: true }) && !each.disabled && each.type !== "hidden");
}"""
# What is not marked well enough is told of; `walked` has everything in the order of its turns.
WATCH = """() => {
  const walked = (globalThis.walked = []);
  const unseen = (globalThis.unseen = []);
  const isMarked = ({ outlineStyle, outlineWidth }) =>
    outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  // In the view, and not all of it under what stays on top while the page scrolls.
  const isShown = (element) => [...element.getClientRects()].some(({ x, y, width, height }) =>
    [0.5, 0.05, 0.95].some((part) => {
      const onTop = document.elementFromPoint(x + width * part, y + height * part);
      return onTop && (element.contains(onTop) || onTop.contains(element));
    }));
  document.addEventListener("focusin", ({ target }) => {
    if (walked.includes(target)) return;
    walked.push(target);
    if (!isMarked(getComputedStyle(target)) || !isShown(target)) unseen.push(target);
  });
}"""
FOUND = f"""() => {{
  const controls = ({CONTROLS})();
  const told = (each) => each.outerHTML.slice(0, 120);
  const reached = walked.filter((each) => controls.includes(each));
  return {{
    missed: controls.filter((each) => !walked.includes(each)).map(told),
    unseen: unseen.map(told),
    disorder: reached.filter((each, turn) => each !== controls[turn]).map(told),
    reached: reached.length,
  }};
}}"""


def walk(page: Page) -> dict[str, Any]:
    """Tab over all of the page, from its beginning."""
    page.evaluate("() => { document.body.tabIndex = -1; document.body.focus(); scrollTo(0, 0); }")
    page.evaluate(WATCH)
    # And some more, for what scrolls has a turn as well.
    for _ in range(page.evaluate(f"({CONTROLS})().length") + 10):
        page.keyboard.press("Tab")
    return page.evaluate(FOUND)


def by_key(page: Page, control: Locator, key: str) -> None:
    control.focus()
    page.keyboard.press(key)


def test_side_by_side_needs_no_mouse(page: Page, site: str) -> None:
    page.goto(f"{site}/lab/?columns=session-redis,jwt-expiry")
    here = settled(page.locator(".column[data-client=jwt-expiry]"))
    by_key(page, here.get_by_label("Username"), "ControlOrMeta+A")
    page.keyboard.type("ada")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(here.locator("[data-part=state]")).to_have_text("Logged in as ada")
    by_key(page, settled(here).get_by_role("button", name="whoami"), "Space")
    expect(here.get_by_role("status").first).to_contain_text("You are user")
    by_key(page, page.get_by_text("Shorten the times, or take a store away"), "Enter")
    by_key(page, settled(here).get_by_text("checks, all passed").first, "Space")

    found = walk(page)
    assert found.pop("reached") > 60
    assert found == {"missed": [], "unseen": [], "disorder": []}

    code = here.get_by_role("button", name="Show the code", exact=True)
    by_key(page, code, "Enter")
    expect(page.get_by_role("dialog")).to_contain_text("def get")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(code).to_be_focused()

    chooser = page.get_by_label("Column 1")
    by_key(page, chooser, "ArrowDown")
    expect(page.locator(".column[data-client=session-push]")).to_be_visible()
    expect(chooser).to_be_focused()


def test_the_inspector_needs_no_mouse(page: Page, site: str) -> None:
    page.goto(f"{site}/lab/token/")
    here = page.locator("#token")
    by_key(page, here.get_by_role("button", name="Take mine"), "Space")
    here.get_by_label("Username").fill("ada")
    here.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(here.locator("[data-claim=sub]")).to_be_visible()
    by_key(page, here.get_by_role("button", name="Verify", exact=True), "Enter")
    expect(here.locator("[data-part=verified]")).to_contain_text("Passed")
    by_key(page, here.get_by_role("button", name="Send", exact=True), "Enter")
    expect(here.get_by_role("region", name="Receipt")).to_be_visible()

    found = walk(page)
    assert found.pop("reached") > 50
    assert found == {"missed": [], "unseen": [], "disorder": []}

    code = here.get_by_role("button", name="The code of the check signature")
    by_key(page, code, "Space")
    expect(page.get_by_role("dialog")).to_contain_text("def _verify_signature")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(code).to_be_focused()


PAGES = [
    "/",
    "/lab/?columns=session-redis,jwt-push,jwt-naive",
    "/lab/token/",
    "/lab/attacks/",
    "/lab/audit/",
    "/lab/decide/?revocation=seconds",
    "/lab/mailbox/",
    "/lab/code/?path=lab/urls.py&line=1",
    "/lab/client/jwt-naive/",
]


@pytest.mark.thorough
def test_no_page_asks_anybody_else(page: Page, site: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in PAGES:
        asked.clear()
        page.goto(f"{site}{path}", wait_until="networkidle")
        assert f"{site}/static/accounts/style.css" in asked
        assert [url for url in asked if not url.startswith(f"{site}/")] == []
