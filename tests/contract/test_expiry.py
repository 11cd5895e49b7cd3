"""When is it over by itself? Idle and absolute lifetime; the clock of the process and of Redis."""

from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from accounts.client import FlowClient
from tests.contract.answers import assert_logged_in, assert_refused, steal
from tests.contract.clock import Clock
from tests.contract.people import Enter, Person

pytestmark = pytest.mark.inside("moves the clock")
DAY = 86_400


def seconds_left(client: FlowClient) -> float:
    """How long the device may stay unused, as the device list says."""
    here = next(entry for entry in client.devices() if entry["current"])
    return (datetime.fromisoformat(here["expires"]) - datetime.now(UTC)).total_seconds()


def test_a_credential_expires(
    enter: Enter, guest: FlowClient, ada: Person, clock: Clock, settings: Settings
) -> None:
    client = enter(ada)
    lasts = client.refresh()["credential"]["expires_in"]
    held = steal(client, guest)
    clock.advance(lasts - 2)
    assert_logged_in(steal(held, guest))
    clock.advance(lasts + settings.LEEWAY_SECONDS + 2)
    assert_refused(held.send("GET", "whoami/"), 401, "credential_expired")


def test_a_client_that_refreshes_does_not_notice(enter: Enter, ada: Person, clock: Clock) -> None:
    client = enter(ada)
    for _ in range(5):
        clock.advance(0.9 * seconds_left(client))
        client.refresh()
        assert client.me()["username"] == ada.username


def test_unused_it_ends(
    enter: Enter, guest: FlowClient, ada: Person, clock: Clock, settings: Settings
) -> None:
    held = steal(enter(ada), guest)
    clock.advance(seconds_left(held) + settings.LEEWAY_SECONDS + 1)
    assert_refused(held.send("POST", "refresh/"), 401, "credential_expired")
    assert_refused(held.send("GET", "whoami/"), 401, "credential_expired")


def test_used_it_lasts(enter: Enter, guest: FlowClient, ada: Person, clock: Clock) -> None:
    client = enter(ada)
    idle = seconds_left(client)
    clock.advance(0.7 * idle)
    client.refresh()
    clock.advance(0.7 * idle)
    client.refresh()
    assert_logged_in(client)


def test_no_refresh_passes_the_absolute_end(
    enter: Enter, guest: FlowClient, ada: Person, clock: Clock, settings: Settings
) -> None:
    """Threat: without it a thief who keeps refreshing stays in for ever (ASVS 10.4.8)."""
    client = enter(ada)
    end = datetime.now(UTC).timestamp() + settings.ABSOLUTE_SECONDS
    while end - datetime.now(UTC).timestamp() > DAY:
        clock.advance(min(0.9 * seconds_left(client), end - datetime.now(UTC).timestamp() - 60))
        credential = client.refresh()["credential"]
        now = datetime.now(UTC).timestamp()
        assert now + seconds_left(client) <= end + 1
        assert now + credential["expires_in"] <= end + 1
    held = steal(client, guest)
    clock.advance(end - datetime.now(UTC).timestamp() + settings.LEEWAY_SECONDS + 1)
    assert_refused(held.send("POST", "refresh/"), 401, "credential_expired")
    assert_refused(held.send("GET", "whoami/"), 401, "credential_expired")


def test_logout_of_an_expired_login_is_fine(
    enter: Enter, guest: FlowClient, ada: Person, clock: Clock
) -> None:
    held = steal(enter(ada), guest)
    clock.advance(40 * DAY)
    assert held.send("POST", "logout/").status_code == 204


def test_login_ignores_an_expired_login(
    enter: Enter, guest: FlowClient, ada: Person, clock: Clock
) -> None:
    held = steal(enter(ada), guest)
    clock.advance(40 * DAY)
    held.login(ada.username, ada.password)
    assert_logged_in(held)


def test_a_login_outlives_the_copy_of_the_row_in_a_store(
    enter: Enter, ada: Person, clock: Clock
) -> None:
    """Surprise: what a flow copies of a user's row ends long before the login does."""
    client = enter(ada)
    clock.advance(600)
    assert_logged_in(client)
    assert client.me()["username"] == ada.username
