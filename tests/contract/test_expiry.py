"""When is it over by itself? Idle and absolute lifetime, of each profile, in every flow.

R12, R13, R41, R42, R64. With RACE_TRIALS=100 a login is refreshed every minute for as long
as it may last.
"""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as site
from pytest_django import Settings

from accounts.client import FlowClient
from lab.differences import difference
from tests.accounts.racing import trials
from tests.contract.answers import (
    assert_credential,
    assert_logged_in,
    assert_refused,
    set_cookies,
    steal,
)
from tests.contract.clock import Clock
from tests.contract.people import Enter, Person
from tests.rows import mostly_in_ci

pytestmark = [pytest.mark.strategies, pytest.mark.inside("moves the clock")]
MINUTE, DAY = 60, 86_400
PROFILES = site.LIFETIME_PROFILES


@pytest.fixture(params=PROFILES, autouse=True)
def profile(request: pytest.FixtureRequest, settings: Settings) -> str:
    """The site lives by this profile: what holds for one holds for all."""
    lifetimes = settings.LIFETIME_PROFILES[request.param]
    settings.ACCESS_SECONDS = lifetimes["access"]
    settings.REFRESH_IDLE_SECONDS = lifetimes["refresh_idle"]
    settings.SESSION_IDLE_SECONDS = settings.SESSION_COOKIE_AGE = lifetimes["session_idle"]
    settings.ABSOLUTE_SECONDS = lifetimes["absolute"]
    settings.SIMPLE_JWT = {
        **settings.SIMPLE_JWT,
        "ACCESS_TOKEN_LIFETIME": timedelta(seconds=lifetimes["access"]),
        "REFRESH_TOKEN_LIFETIME": timedelta(seconds=lifetimes["refresh_idle"]),
    }
    return request.param


def seconds_left(client: FlowClient) -> float:
    """How long the device may stay unused, as the device list says."""
    here = next(entry for entry in client.devices() if entry["current"])
    return (datetime.fromisoformat(here["expires"]) - datetime.now(UTC)).total_seconds()


@pytest.mark.needs("refresh")
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


@pytest.mark.needs("refresh")
def test_a_client_that_refreshes_does_not_notice(enter: Enter, ada: Person, clock: Clock) -> None:
    client = enter(ada)
    for _ in range(5):
        clock.advance(0.9 * seconds_left(client))
        client.refresh()
        assert client.me()["username"] == ada.username


@pytest.mark.needs("devices", "refresh")
def test_unused_it_ends(
    enter: Enter, guest: FlowClient, ada: Person, clock: Clock, settings: Settings
) -> None:
    held = steal(enter(ada), guest)
    clock.advance(seconds_left(held) + settings.LEEWAY_SECONDS + 1)
    assert_refused(held.send("POST", "refresh/"), 401, "credential_expired")
    assert_refused(held.send("GET", "whoami/"), 401, "credential_expired")


@pytest.mark.needs("devices", "refresh")
def test_used_it_lasts(enter: Enter, guest: FlowClient, ada: Person, clock: Clock) -> None:
    client = enter(ada)
    idle = seconds_left(client)
    clock.advance(0.7 * idle)
    client.refresh()
    clock.advance(0.7 * idle)
    client.refresh()
    assert_logged_in(client)


def now() -> float:
    return datetime.now(UTC).timestamp()


@pytest.mark.timeout(14_400 if trials(0) else 120)  # 90 days have 129 600 minutes
@pytest.mark.needs("refresh")
@pytest.mark.parametrize("profile", mostly_in_ci(list(PROFILES), "relaxed"), indirect=True)
def test_no_refresh_passes_the_absolute_end(
    enter: Enter, guest: FlowClient, flow: str, ada: Person, clock: Clock, settings: Settings
) -> None:
    """Threat: without it a thief who keeps refreshing stays in for ever (ASVS 10.4.8).

    Neither in what is promised (`expires_in`, the cookie's Max-Age, the device list), nor in what
    the server takes.
    """
    client = enter(ada)
    end = now() + settings.ABSOLUTE_SECONDS
    cookie = str(difference("cookie_name", flow))
    step = settings.ABSOLUTE_SECONDS / trials(30, full=settings.ABSOLUTE_SECONDS // MINUTE)
    step = min(0.9 * seconds_left(client), step)
    refreshes = 0
    while end - now() > step + MINUTE:
        clock.advance(step)
        asked = now()
        response = client.send("POST", "refresh/")
        assert response.status_code == 200, response.text
        refreshes += 1
        assert_credential(response.json()["credential"], flow)
        promised = [
            response.json()["credential"]["expires_in"],
            int(set_cookies(response)[cookie]["max-age"]),
        ]
        if refreshes % 10 == 0:
            promised.append(int(seconds_left(client)))
        assert asked + max(promised) <= end + 1
    assert refreshes >= 20
    held = steal(client, guest)
    clock.advance(end - now() + settings.LEEWAY_SECONDS + 1)
    assert_refused(held.send("POST", "refresh/"), 401, "credential_expired")
    assert_refused(held.send("GET", "whoami/"), 401, "credential_expired")


@pytest.mark.needs("refresh")
@pytest.mark.parametrize("profile", mostly_in_ci(list(PROFILES), "banking"), indirect=True)
def test_saving_on_every_request_passes_no_absolute_end(
    enter: Enter, guest: FlowClient, ada: Person, clock: Clock, settings: Settings
) -> None:
    """R64: Django's own setting renews a session with every answer. (`check` refuses it, E006.)"""
    settings.SESSION_SAVE_EVERY_REQUEST = True
    idle = min(settings.REFRESH_IDLE_SECONDS, settings.SESSION_IDLE_SECONDS)
    settings.ABSOLUTE_SECONDS = min(settings.ABSOLUTE_SECONDS, 4 * idle)
    client = enter(ada)
    end = now() + settings.ABSOLUTE_SECONDS
    while end - now() > 0.5 * idle:
        clock.advance(0.4 * idle)
        client.rename("Ada")
        client.refresh()
        assert now() + seconds_left(client) <= end + 1
    held = steal(client, guest)
    clock.advance(end - now() + settings.LEEWAY_SECONDS + 1)
    assert held.send("POST", "refresh/").status_code == 401
    assert held.send("GET", "whoami/").status_code == 401


@pytest.mark.needs("devices", "refresh")
def test_the_last_seconds_are_good_ones(
    enter: Enter, guest: FlowClient, ada: Person, clock: Clock
) -> None:
    """What the device list and the credential promise is kept to the end."""
    client = enter(ada)
    held = steal(client, guest)
    clock.advance(seconds_left(client) - 2)
    response = held.send("POST", "refresh/")
    assert response.status_code == 200
    assert_credential(response.json()["credential"], client.flow)


def test_logout_of_an_expired_login_is_fine(
    enter: Enter, guest: FlowClient, ada: Person, clock: Clock
) -> None:
    held = steal(enter(ada), guest)
    clock.advance(100 * DAY)
    assert held.send("POST", "logout/").status_code == 204


def test_login_ignores_an_expired_login(
    enter: Enter, guest: FlowClient, ada: Person, clock: Clock
) -> None:
    held = steal(enter(ada), guest)
    clock.advance(100 * DAY)
    held.login(ada.username, ada.password)
    assert_logged_in(held)


@pytest.mark.needs("refresh")
def test_a_login_outlives_the_copy_of_the_row_in_a_store(
    enter: Enter, ada: Person, clock: Clock
) -> None:
    """Surprise: what a flow copies of a user's row ends long before the login does."""
    client = enter(ada)
    clock.advance(600)
    client.refresh()
    assert_logged_in(client)
    assert client.me()["username"] == ada.username
