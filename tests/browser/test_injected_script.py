"""What can a script do that was injected into our own page (XSS)? Use what it cannot steal.

R98, A63. The scripts here are what an injection would run: they know nothing of our own
scripts and use what every page of the origin may use. The limit is real, and the
README says so.
"""

from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.steps import TITLES, client, column, log_in_at_home, press, settled, state

pytestmark = [pytest.mark.thorough, pytest.mark.browser]

# Looks through everything that a script of the origin can read, and takes what is there.
LOOT = """async () => ({
    cookies: document.cookie,
    stored: JSON.stringify([{ ...localStorage }, { ...sessionStorage }]),
    markup: document.documentElement.outerHTML,
})"""

# Does on the user's behalf what the user could do: fetches a CSRF token, and asks for a credential.
REFRESH = """async (flow) => {
    const { csrf_token } = await (await fetch("/api/csrf/")).json();
    const headers = { "X-CSRFToken": csrf_token };
    const answer = await fetch(`/api/${flow}/refresh/`, { method: "POST", headers });
    return await answer.json();
}"""


def secrets_of(page: Page) -> list[str]:
    return [str(cookie["value"]) for cookie in page.context.cookies()]


def me(site: str, token: str) -> int:
    """Present a token from outside of the browser, as the thief would."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{site}/api/jwt/me/", headers=headers).status_code


def test_an_injected_script_can_steal_no_long_lived_secret(page: Page, site: str) -> None:
    for key in TITLES:
        log_in_at_home(page, site, key)
    loot: dict[str, Any] = page.evaluate(LOOT)
    assert len(secrets_of(page)) >= 3
    for secret in secrets_of(page):
        assert not [name for name, text in loot.items() if secret in text]


def test_an_injected_script_can_use_the_session_while_the_page_is_open(
    page: Page, site: str
) -> None:
    """It acts as ada, and takes away nothing that would open anything from elsewhere."""
    log_in_at_home(page, site, "sessions")
    seen = page.evaluate("async () => (await (await fetch('/api/sessions/me/')).json()).username")
    assert seen == "ada"
    taken = page.evaluate(REFRESH, "sessions")
    assert taken["credential"]["token"] is None
    assert httpx.get(f"{site}/api/sessions/me/").status_code == 401


def test_an_injected_script_can_carry_a_fresh_access_token_out_of_the_browser(
    page: Page, site: str
) -> None:
    """The cookie stays, and what it buys goes: the token works elsewhere until its bound."""
    here = log_in_at_home(page, site, "jwt")
    taken = page.evaluate(REFRESH, "jwt")["credential"]
    assert me(site, taken["token"]) == 200
    assert taken["expires_in"] <= 900
    press(here, "Log out everywhere")
    assert me(site, taken["token"]) == 401, "what reads the row hears of it at once"


def test_logout_leaves_a_later_script_nothing_to_use(page: Page, site: str, key: str) -> None:
    """R85: the cookie is deleted, and the page drops the token that it holds in memory."""
    here = log_in_at_home(page, site, key)
    press(here, "Log out")
    expect(state(settled(column(page, key)))).not_to_contain_text("Logged in")
    assert client(page, key, "return flow.token") is None
    assert page.evaluate(REFRESH, key)["code"] == "not_authenticated"
    assert page.evaluate(f"async () => (await fetch('/api/{key}/whoami/')).status") == 401
