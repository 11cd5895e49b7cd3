"""Where does the browser keep what it holds? Nowhere that a script could read it tomorrow. (R87)"""

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import APIResponse, BrowserContext, Page, Request, Route, expect

from accounts.models import AuthEvent, User
from jwt_api.tokens import AccessToken
from tests.browser.steps import (
    PASSWORD,
    TITLES,
    client,
    column,
    log_in_at_home,
    log_in_by_form,
    settled,
    state,
)

pytestmark = pytest.mark.browser

READABLE = """async () => ({
    local: Object.keys(localStorage),
    session: Object.keys(sessionStorage),
    databases: (await indexedDB.databases()).map((each) => each.name),
    caches: await caches.keys(),
    cookies: document.cookie,
})"""
NOTHING: dict[str, Any] = {"local": [], "session": [], "databases": [], "caches": [], "cookies": ""}


def two_tabs(context: BrowserContext, site: str, key: str) -> list[Page]:
    """The home page twice: ada logs in in the first tab, and the second finds her login."""
    tabs = [context.new_page(), context.new_page()]
    log_in_at_home(tabs[0], site, key)
    tabs[1].goto(site)
    settled(column(tabs[1], key))
    return tabs


def refreshes(pages: list[Page]) -> list[Request]:
    """A list that fills with every refresh that these pages send from now on."""
    seen: list[Request] = []

    def note(request: Request) -> None:
        if request.method == "POST" and request.url.endswith("/refresh/"):
            seen.append(request)

    for page in pages:
        page.on("request", note)
    return seen


def expire(page: Page) -> None:
    """Put an expired, otherwise good access token in the place of the one in memory."""
    claims = client(page, "jwt", "return flow.claims()")
    token = AccessToken()
    token.payload.update(claims)
    token.set_exp(lifetime=timedelta(seconds=-120))
    client(page, "jwt", f"flow.token = '{token}'")


def test_a_script_can_read_nothing_after_login(page: Page, site: str) -> None:
    for key in TITLES:
        log_in_at_home(page, site, key)
    assert page.evaluate(READABLE) == NOTHING


def test_a_script_can_read_nothing_on_the_pages(page: Page, site: str, key: str) -> None:
    log_in_by_form(page, site, key)
    expect(page.get_by_role("heading", name="Ada")).to_be_visible()
    assert page.evaluate(READABLE) == NOTHING


def test_the_cookies_are_out_of_reach(page: Page, context: BrowserContext, site: str) -> None:
    for key in TITLES:
        log_in_at_home(page, site, key)
    cookies = context.cookies()
    assert {cookie["name"] for cookie in cookies} == {
        "__Host-sessionid",
        "__Host-refresh",
        "__Host-csrftoken",
        "__Host-known-device",
    }
    assert all(cookie["httpOnly"] and cookie["secure"] for cookie in cookies)


@pytest.mark.thorough
def test_a_reload_stays_logged_in(page: Page, site: str, key: str) -> None:
    log_in_at_home(page, site, key)
    page.reload()
    expect(state(settled(column(page, key)))).to_have_text("Logged in as ada")


def test_a_reload_loses_the_token_and_refreshes_silently(page: Page, site: str) -> None:
    log_in_at_home(page, site, "jwt")
    before = client(page, "jwt", "return flow.token")
    seen = refreshes([page])
    page.reload()
    expect(state(settled(column(page, "jwt")))).to_have_text("Logged in as ada")
    assert len(seen) == 1
    assert client(page, "jwt", "return flow.token") not in (None, before)


def test_ten_calls_that_meet_an_expired_token_cause_one_refresh(page: Page, site: str) -> None:
    log_in_at_home(page, site, "jwt")
    expire(page)
    seen = refreshes([page])
    statuses = client(
        page,
        "jwt",
        """const calls = Array.from({ length: 10 }, () => flow.whoami());
        return (await Promise.all(calls)).map((answer) => answer.status);""",
    )
    assert statuses == [200] * 10
    assert len(seen) == 1


@pytest.mark.thorough
def test_two_tabs_that_meet_an_expired_token_stay_logged_in(
    context: BrowserContext, site: str
) -> None:
    tabs = two_tabs(context, site, "jwt")
    for tab in tabs:
        expire(tab)
    seen = refreshes(tabs)
    for tab in tabs:
        client(tab, "jwt", "window.answer = flow.whoami()")
    assert [tab.evaluate("answer.then(({ status }) => status)") for tab in tabs] == [200, 200]
    assert len(seen) in (1, 2)
    assert not AuthEvent.objects.filter(kind=AuthEvent.Kind.REUSE).exists()


def test_two_tabs_that_refresh_at_once_stay_logged_in(context: BrowserContext, site: str) -> None:
    tabs = two_tabs(context, site, "jwt")
    for _ in range(5):
        for tab in tabs:
            client(tab, "jwt", "window.answer = flow.refresh()")
        assert all(tab.evaluate("answer.then(({ ok }) => ok)") for tab in tabs)
    for tab in tabs:
        assert client(tab, "jwt", "return (await flow.me()).status") == 200
    assert not AuthEvent.objects.filter(kind=AuthEvent.Kind.REUSE).exists()


@pytest.mark.thorough
def test_a_login_as_somebody_else_is_seen_in_the_other_tab(
    context: BrowserContext, site: str, key: str
) -> None:
    User.objects.create_user("grace", password=PASSWORD)
    tabs = two_tabs(context, site, key)
    client(tabs[1], key, f"await flow.login('grace', '{PASSWORD}')")
    expect(state(column(tabs[0], key))).to_have_text("Logged in as grace")


@pytest.mark.thorough
def test_what_another_tab_tells_a_busy_column_is_not_lost(
    context: BrowserContext, site: str, key: str
) -> None:
    User.objects.create_user("grace", password=PASSWORD)
    tabs = two_tabs(context, site, key)
    settled(column(tabs[0], key))
    held: list[Route] = []
    tabs[0].route(f"**/api/{key}/whoami/", lambda route: held.append(route))
    column(tabs[0], key).get_by_role("button", name="whoami", exact=True).click()
    client(tabs[1], key, f"await flow.login('grace', '{PASSWORD}')")
    while not held:
        tabs[0].wait_for_timeout(50)
    tabs[0].wait_for_timeout(300)  # for the message to arrive while the column is busy
    for route in held:
        route.continue_()
    expect(state(column(tabs[0], key))).to_have_text("Logged in as grace")


@pytest.mark.thorough
def test_a_logout_reaches_the_other_tab(context: BrowserContext, site: str, key: str) -> None:
    tabs = [context.new_page(), context.new_page()]
    log_in_at_home(tabs[0], site, key)
    tabs[1].goto(site)
    expect(state(settled(column(tabs[1], key)))).to_have_text("Logged in as ada")
    client(tabs[0], key, "await flow.logout()")
    expect(state(column(tabs[1], key))).to_have_text("Not logged in")
    assert client(tabs[1], key, "return flow.token") is None


@pytest.mark.thorough
def test_a_logout_by_form_reaches_the_tab_that_is_logged_in(
    context: BrowserContext, site: str, key: str
) -> None:
    holder, form = context.new_page(), context.new_page()
    log_in_at_home(holder, site, key)
    form.goto(f"{site}/{key}/logout/")
    form.get_by_role("button", name="Log out").click()
    expect(form.get_by_text("You are logged out.")).to_be_visible()
    expect(state(column(holder, key))).to_have_text("Not logged in")
    assert client(holder, key, "return flow.token") is None


ENDINGS = {
    "logout": "flow.logout()",
    "logout-all": "flow.logoutAll()",
    "a login as grace": f"flow.login('grace', '{PASSWORD}')",
    "a new password": f"flow.changePassword('{PASSWORD}', 'seven-swallows-over-the-mill')",
}


@pytest.mark.thorough
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_late_answer_to_a_refresh_brings_nobody_back(
    context: BrowserContext, site: str, ending: str
) -> None:
    """The other tab's refresh is done; its answer is under way while this one logs out."""
    User.objects.create_user("grace", password=PASSWORD)
    here, there = two_tabs(context, site, "jwt")
    late: list[tuple[Route, APIResponse]] = []
    there.route("**/api/jwt/refresh/", lambda route: late.append((route, route.fetch())))
    client(there, "jwt", "window.answer = flow.refresh()")
    while not late:
        there.wait_for_timeout(50)
    client(here, "jwt", f"window.answer = {ENDINGS[ending]}")
    here.wait_for_timeout(500)  # long enough for who does not wait
    for route, response in late:
        route.fulfill(response=response)
    there.unroute("**/api/jwt/refresh/")
    assert here.evaluate("answer.then(({ ok }) => ok)")
    who = {"a login as grace": "grace", "a new password": "ada"}.get(ending)
    expected = f"Logged in as {who}" if who else "Not logged in"
    expect(state(column(there, "jwt"))).to_have_text(expected)
    for tab in (here, there):
        assert client(tab, "jwt", "return (await flow.me()).body.username ?? null") == who


def test_a_refresh_without_an_answer_ends_nothing(page: Page, site: str) -> None:
    log_in_at_home(page, site, "jwt")
    expire(page)
    gone = "<h1>502 Bad Gateway</h1>"
    page.route(
        "**/api/jwt/refresh/",
        lambda route: route.fulfill(status=502, content_type="text/html", body=gone),
    )
    assert client(page, "jwt", "return (await flow.whoami()).status") == 502
    assert client(page, "jwt", "return flow.loggedIn")
    page.unroute("**/api/jwt/refresh/")
    assert client(page, "jwt", "return (await flow.whoami()).status") == 200


def test_a_page_that_a_proxy_answered_for_says_so(page: Page, site: str) -> None:
    log_in_by_form(page, site, "jwt")

    def away(route: Route) -> None:
        if "authorization" in route.request.headers:
            route.fulfill(status=502, content_type="text/html", body="<h1>502 Bad Gateway</h1>")
        else:
            route.continue_()

    page.route("**/jwt/devices/", away)
    page.goto(f"{site}/jwt/devices/")
    expect(page.get_by_role("alert")).to_have_text(
        "The server did not answer as expected. Reload the page."
    )


@pytest.mark.thorough
def test_a_503_keeps_the_login(page: Page, site: str, key: str) -> None:
    here = log_in_at_home(page, site, key)
    body = '{"detail": "The server cannot reach its store.", "code": "store_unavailable"}'
    page.route(
        "**/me/",
        lambda route: route.fulfill(
            status=503, body=body, headers={"Content-Type": "application/json", "Retry-After": "2"}
        ),
    )
    here.get_by_role("button", name="me", exact=True).click()
    expect(here.get_by_role("status")).to_contain_text("nobody was logged out")
    expect(state(here)).to_have_text("Logged in as ada")
