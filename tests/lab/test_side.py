"""Does the lab's instrument show what is, and do its buttons do what they say? (`/lab/`)"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from playwright.sync_api import Locator, Page, expect

from lab.strategies import STRATEGIES
from tests.accounts.racing import browser, post
from tests.accounts.racing import log_in as log_in_with
from tests.browser.conftest import context  # noqa: F401  # watches the console
from tests.deployment import deployed

pytestmark = pytest.mark.once
KEYS = [row.key for row in STRATEGIES]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two real workers with a Redis and a database of their own, served as `make run` serves."""
    folder: Path = tmp_path_factory.mktemp("side")
    with deployed(folder, DJANGO_SETTINGS_MODULE="authdemo.settings") as deployment:
        yield deployment.url


def column(page: Page, key: str) -> Locator:
    """The strategy's column, once it is doing nothing any more."""
    found = page.locator(f".column[data-client={key}]")
    expect(found).to_have_attribute("aria-busy", "false")
    return found


def log_in(page: Page, *keys: str) -> None:
    page.get_by_role("button", name="Log in as ada").click()
    for key in keys:
        expect(page.locator(f".column[data-client={key}] [data-part=state]")).to_have_text(
            "Logged in as ada"
        )
        column(page, key)


# --- which columns there are ----------------------------------------------------------------


def shown(client: Client, columns: str) -> list[str]:
    page = client.get("/lab/", {"columns": columns})
    assert page.status_code == 200
    return [each["row"].key for each in page.context["columns"]]


@pytest.mark.usefixtures("lab", "db")
def test_the_address_names_the_columns_and_nonsense_in_it_is_dropped(client: Client) -> None:
    assert shown(client, "jwt-push,session-push") == ["jwt-push", "session-push"]
    assert shown(client, "jwt-push,,nothing,jwt-push,<b>") == ["jwt-push"]
    assert shown(client, ",".join(KEYS)) == KEYS[:3]
    assert shown(client, "") == ["session-redis", "jwt-expiry"]


@pytest.mark.usefixtures("lab", "ada")
def test_a_family_is_shown_with_its_generations() -> None:
    client = browser()
    log_in_with(client, "jwt")
    token = post(client, "/api/jwt/refresh/").json()["credential"]["token"]
    for key in ("jwt", "jwt-push"):  # the flow, and a strategy that keeps its logins there
        answer = client.get(f"/lab/remembered/{key}/", headers={"authorization": f"Bearer {token}"})
        (family,) = answer.json()["families"]

        assert family["live"]
        states = [(each["number"], each["state"]) for each in family["generations"]]
        assert states == [(2, "not used yet"), (1, "used")]


def test_without_the_lab_there_is_none(client: Client, db: None) -> None:
    for path in ("", "side/worker/", "side/revoke/", "side/outage/", "side/times/"):
        assert client.get(f"/lab/{path}").status_code == 404


@pytest.mark.browser
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


@pytest.mark.browser
def test_every_strategy_logs_in_and_out_in_its_column(page: Page, site: str) -> None:
    for key in KEYS:
        page.goto(f"{site}/lab/?columns={key}")
        column(page, key)
        log_in(page, key)
        page.reload()
        expect(column(page, key).locator("[data-part=state]")).to_contain_text("Logged in as")
        page.locator(".both").get_by_role("button", name="Log out").click()
        expect(column(page, key).get_by_role("status").first).to_contain_text("You are logged out.")
