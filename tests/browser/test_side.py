"""Can a person work with the lab's instrument? What its buttons do: `tests/lab/test_side.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from lab.differences import because
from lab.strategies import STRATEGIES
from tests.browser.test_accessibility import complaints
from tests.lab.two_workers import two_workers

pytestmark = pytest.mark.browser
KEYS = [row.key for row in STRATEGIES]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with two_workers(tmp_path_factory.mktemp("side")) as url:
        yield url


def column(page: Page, key: str) -> Locator:
    """The strategy's column, once it is doing nothing any more."""
    found = page.locator(f".column[data-client={key}]")
    expect(found).to_have_attribute("aria-busy", "false")
    return found


def log_in(page: Page, *keys: str) -> None:
    for key in keys:
        column(page, key)  # one that is still busy takes no second click
    page.get_by_role("button", name="Log in as ada").click()
    for key in keys:
        expect(page.locator(f".column[data-client={key}] [data-part=state]")).to_have_text(
            "Logged in as ada"
        )
        column(page, key)


def test_columns_are_chosen_added_and_taken_away_and_the_back_button_follows(
    page: Page, site: str
) -> None:
    page.goto(f"{site}/lab/?columns=session-redis,jwt-push")
    log_in(page, "session-redis", "jwt-push")
    page.get_by_role("button", name="refresh").first.click()
    expect(column(page, "jwt-push")).to_contain_text("generation 2")
    expect(column(page, "session-redis")).to_contain_text("session:{1}:")

    page.get_by_role("button", name="Add a column").click()
    page.get_by_label("Column 3").select_option("jwt-naive")
    expect(column(page, "jwt-naive")).to_contain_text("Weak on purpose.")
    assert page.url.endswith("?columns=session-redis,jwt-push,jwt-naive")
    # The others have not been touched.
    expect(column(page, "jwt-push")).to_contain_text("/lab/strategies/jwt-push/refresh/")

    page.go_back()
    page.go_back()
    expect(page.locator(".column")).to_have_count(2)
    page.get_by_role("button", name="Remove the last one").click()
    expect(page.locator(".column")).to_have_count(1)


@pytest.mark.thorough
def test_every_strategy_logs_in_and_out_in_its_column(page: Page, site: str) -> None:
    for key in KEYS:
        page.goto(f"{site}/lab/?columns={key}")
        column(page, key)
        log_in(page, key)
        page.reload()
        expect(column(page, key).locator("[data-part=state]")).to_contain_text("Logged in as")
        page.locator(".both").get_by_role("button", name="Log out").click()
        expect(column(page, key).get_by_role("status").first).to_contain_text("You are logged out.")


LATE, AWAY = "You are user", "nobody was logged out"
# What is said meanwhile, and what a call answers that needs the store.
OUTAGES = {
    "redis-delay": ("Redis answers 0.2 s late", "session-redis", "whoami", LATE),
    "redis-pause": ("Redis answers nobody", "session-redis", "whoami", AWAY),
    "redis-stop": ("Redis is stopped", "session-redis", "whoami", AWAY),
    "database-lock": ("The database takes no writes", "jwt-expiry", "refresh", AWAY),
    "database-stop": ("The database is out of reach", "jwt-expiry", "me", AWAY),
}


def test_every_outage_is_offered_and_explained(page: Page, site: str) -> None:
    page.goto(f"{site}/lab/")
    page.get_by_text("Shorten the times, or take a store away").click()
    options = page.get_by_label("What", exact=True).locator("option")
    assert [each.get_attribute("value") for each in options.all()] == list(OUTAGES)
    page.get_by_text("What does each of them do?").click()
    for title, *_ in OUTAGES.values():
        expect(page.get_by_text(f"{title}.", exact=True)).to_be_visible()


@pytest.mark.thorough
@pytest.mark.parametrize("kind", OUTAGES)
def test_a_store_is_taken_away_and_brought_back_from_the_page(
    page: Page, site: str, kind: str
) -> None:
    title, key, call, answer = OUTAGES[kind]
    page.goto(f"{site}/lab/?columns={key}")
    here = column(page, key)
    log_in(page, key)
    page.get_by_text("Shorten the times, or take a store away").click()
    page.get_by_label("What", exact=True).select_option(kind)
    page.get_by_label("For how long").select_option("30")
    page.get_by_role("button", name="Begin").dblclick()
    expect(page.locator(".banner")).to_contain_text(title)
    here.get_by_role("button", name=call, exact=True).click()
    expect(here.get_by_role("status").first).to_contain_text(answer)
    page.reload()
    page.get_by_role("button", name="End it now").click()
    expect(page.locator(".banner")).to_have_count(0)
    column(page, key).get_by_role("button", name="whoami").click()
    expect(here.get_by_role("status").first).to_contain_text("You are user")


def test_demo_times_are_switched_and_said(page: Page, site: str) -> None:
    page.goto(f"{site}/lab/?columns=jwt-expiry")
    column(page, "jwt-expiry")
    page.get_by_text("Shorten the times, or take a store away").click()
    page.get_by_role("button", name="Demo times").click()
    expect(page.locator(".banner")).to_contain_text("access tokens 0:30 and 30 s of leeway")
    log_in(page, "jwt-expiry")
    held = column(page, "jwt-expiry").locator("[data-part=browser] .left")
    expect(held).to_contain_text(re.compile("0:(30|2[0-9]) left"))
    page.get_by_role("button", name="Usual times").click()
    expect(page.locator(".banner")).to_have_count(0)


def test_the_meter_says_when_each_worker_refused(page: Page, site: str) -> None:
    page.goto(f"{site}/lab/?columns=session-redis,jwt-expiry")
    column(page, "jwt-expiry")
    page.get_by_role("button", name="Revoke in every column").dblclick()
    ended = page.locator(".column[data-client=session-redis] .meter")
    expect(ended).to_contain_text("by 2 workers, after “Log out”")
    expect(ended.get_by_role("listitem").first).to_contain_text("the first probe")
    lives = page.locator(".column[data-client=jwt-expiry] .meter")
    expect(lives.get_by_role("status")).to_contain_text("Still accepted, until")


def meter(page: Page, key: str) -> Locator:
    return page.locator(f".column[data-client={key}] .meter")


def test_one_column_is_measured_alone(page: Page, site: str) -> None:
    page.goto(f"{site}/lab/?columns=session-redis,jwt-expiry")
    column(page, "jwt-expiry")
    for key in ("session-redis", "jwt-expiry"):
        expect(meter(page, key).get_by_role("status")).to_have_text("Not measured yet.")
    meter(page, "session-redis").get_by_role("button", name="Revoke in this column").click()
    expect(meter(page, "session-redis")).to_contain_text("Refused after")
    expect(meter(page, "jwt-expiry").get_by_role("status")).to_have_text("Not measured yet.")


@pytest.mark.thorough
def test_the_meter_speaks_of_a_role_of_a_theft_and_of_what_is_not_offered(
    page: Page, site: str
) -> None:
    page.goto(f"{site}/lab/?columns=session-redis,jwt-lookup,jwt-naive")
    column(page, "jwt-naive")
    how = page.get_by_role("combobox", name="Revoke, and time it")
    how.select_option("role")
    for key in ("session-redis", "jwt-naive"):
        meter(page, key).get_by_role("button").click()
        expect(meter(page, key).get_by_role("listitem")).to_have_count(2)
    known = meter(page, "session-redis")
    expect(known.get_by_role("status")).to_contain_text("Known after")
    expect(known.get_by_role("listitem").first).to_contain_text("known after")
    expect(known).to_contain_text("by 2 workers, after “Give the user a role”")
    unknown = meter(page, "jwt-naive")
    expect(unknown.get_by_role("status")).to_contain_text(
        re.compile(r"Not known yet, until .*20\d\d.*, in 24 h by 2 workers")  # with its date
    )
    expect(unknown.get_by_role("listitem").first).to_contain_text(
        re.compile(r"not known yet, \d+ times in 2 s")
    )

    how.select_option("theft")
    page.get_by_role("button", name="Revoke in every column").click()
    expect(meter(page, "jwt-naive").get_by_role("status")).to_have_text(
        "It has nothing for this: the server keeps nothing that could be ended or refreshed.",
    )
    expect(meter(page, "jwt-naive").get_by_role("listitem")).to_have_count(0)
    expect(meter(page, "jwt-lookup").get_by_role("status")).to_contain_text("Refused after")
    goes_on = meter(page, "session-redis").get_by_role("status")
    expect(goes_on).to_contain_text("Goes on until")
    expect(goes_on).to_contain_text(because("lives_on_after_reuse", "session-redis"))


def test_the_timeline_tells_of_all_columns(page: Page, site: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{site}/lab/?columns=session-redis,jwt-lookup")
    log_in(page, "session-redis", "jwt-lookup")
    page.locator(".both").get_by_role("button", name="whoami").click()
    timeline = page.get_by_role("log", name="Timeline of all columns")
    for key, command in (("session-redis", "MGET session:"), ("jwt-lookup", "MGET denied:")):
        told = column(page, key)
        row = timeline.get_by_role("listitem").filter(has_text=f"/lab/strategies/{key}/whoami/")
        expect(row.last).to_contain_text(told.get_attribute("data-title") or "no title")
        expect(row.last.locator("[data-lane=redis]")).to_contain_text(command)
        expect(row.last.locator("[data-lane=database]")).to_contain_text("not asked")
    page.get_by_role("region", name="Timeline").get_by_role(
        "button", name="Copy as Mermaid"
    ).click()
    expect(page.get_by_text("The diagram is copied.")).to_be_visible()
    diagram = page.evaluate("navigator.clipboard.readText()")
    assert diagram.count("sequenceDiagram") == 1
    assert diagram.count("B->>S: GET /lab/strategies/session-redis/whoami/") >= 1
    assert diagram.count("B->>S: GET /lab/strategies/jwt-lookup/whoami/") >= 1


@pytest.mark.thorough
@pytest.mark.parametrize("strategy", ["jwt-lookup", "jwt-cookie"])
def test_after_a_theft_was_detected_the_panel_goes_on_and_marks_it(
    page: Page, context: BrowserContext, browser: Browser, site: str, strategy: str
) -> None:
    page.goto(f"{site}/lab/?columns={strategy}")
    here = column(page, strategy)
    log_in(page, strategy)
    thief = browser.new_context(storage_state=context.storage_state())
    stolen = thief.new_page()
    stolen.goto(f"{site}/lab/?columns={strategy}")
    for _ in range(3):  # out of the grace, which is for one predecessor
        column(stolen, strategy).get_by_role("button", name="refresh").click()
    column(stolen, strategy)
    thief.close()

    here.get_by_role("button", name="refresh").click()
    expect(here.get_by_role("status").first).to_contain_text("was used twice")
    expect(here.locator("[data-part=browser]")).to_have_text("Nothing.")
    held = here.locator("[data-part=server]")
    expect(held.locator(".family")).to_have_count(1)
    expect(held.locator(".alarm")).to_contain_text("Somebody holds a copy")
    expect(held).to_contain_text("ended: a refresh token was used twice")
    here.get_by_role("button", name="whoami").click()
    column(page, strategy)
    # The first: a cookie's token is good until its end, and is shown all of its user's logins.
    expect(held.locator(".alarm").first).to_be_visible()
    assert complaints(page) == []

    here.get_by_role("button", name="Log out", exact=True).click()
    log_in(page, strategy)
    expect(held.locator("[data-reused=true]").first).to_be_visible()
    expect(held.locator("[data-reused=false]").first).to_be_visible()


def test_a_login_that_was_logged_out_is_not_looked_at_again(page: Page, site: str) -> None:
    page.goto(f"{site}/lab/?columns=jwt-lookup")
    here = column(page, "jwt-lookup")
    log_in(page, "jwt-lookup")
    here.get_by_role("button", name="Log out", exact=True).click()
    expect(here.locator("[data-part=server]")).to_have_text("Log in to look.")


def test_presenter_mode_hides_what_cannot_be_read_and_stands_in_the_address(
    page: Page, site: str
) -> None:
    page.goto(f"{site}/lab/?columns=session-redis,jwt-expiry&present")
    wire = column(page, "jwt-expiry").get_by_text("What went over the wire")
    expect(wire).to_be_hidden()
    log_in(page, "session-redis", "jwt-expiry")
    last = column(page, "jwt-expiry").get_by_role("list", name="last exchange")
    expect(last.locator("dl.costs")).to_be_visible()
    expect(last).to_contain_text("/lab/strategies/jwt-expiry/login/")
    for hidden in ("pre", "h4", ".receipt .buttons", ".receipt details"):
        expect(last.locator(hidden).first).to_be_hidden()
    page.get_by_role("button", name="Presenter mode").press("Enter")
    expect(wire).to_be_visible()
    expect(last.locator("pre").first).to_be_visible()
    assert page.url.endswith("?columns=session-redis,jwt-expiry")


@pytest.mark.thorough
def test_everybody_can_use_the_page(page: Page, site: str) -> None:
    for mode in ("", "&present"):
        page.goto(f"{site}/lab/?columns=session-redis,jwt-push,jwt-naive{mode}")
        column(page, "jwt-naive")
        log_in(page, "session-redis", "jwt-push", "jwt-naive")
        page.get_by_text("Shorten the times, or take a store away").click()
        page.get_by_text("What does each of them do?").click()
        page.get_by_role("button", name="Demo times").click()
        page.get_by_role("button", name="Revoke in every column").click()
        expect(page.locator(".workers li")).to_have_count(6)
        assert complaints(page) == []
        for width in (320, 640, 1440):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") == width
        page.get_by_role("button", name="Usual times").click()
        expect(page.locator(".banner")).to_have_count(0)
