"""How does a login go on, and for whom not? `POST refresh/`."""

import pytest
from django.db import connection
from pytest_django import Settings

from accounts.client import FlowClient
from lab.differences import difference
from tests.contract.answers import (
    assert_credential,
    assert_logged_in,
    assert_refused,
    secret_of,
    steal,
)
from tests.contract.clock import Clock
from tests.contract.people import Enter, Person

pytestmark = pytest.mark.strategies


@pytest.mark.needs("refresh")
def test_refresh_answers_a_credential(enter: Enter, flow: str, ada: Person) -> None:
    response = enter(ada).send("POST", "refresh/")
    assert response.status_code == 200
    assert response.json().keys() == {"credential"}
    assert_credential(response.json()["credential"], flow)


@pytest.mark.needs("refresh")
@pytest.mark.quick
def test_refresh_changes_the_secret_and_keeps_the_device(enter: Enter, ada: Person) -> None:
    client = enter(ada)
    device, secret, token = client.whoami()["device"], secret_of(client), client.token
    client.refresh()
    assert client.whoami()["device"] == device
    assert secret_of(client) != secret
    assert client.token is None or client.token != token
    assert [entry["id"] for entry in client.devices()].count(device) == 1


@pytest.mark.thorough
@pytest.mark.needs("refresh")
def test_refresh_a_hundred_times_is_still_one_device(enter: Enter, ada: Person) -> None:
    client = enter(ada)
    before, seen = len(client.devices()), {secret_of(client)}
    for _ in range(100):
        client.refresh()
        seen.add(secret_of(client))
    assert len(seen) == 101
    assert len(client.devices()) == before


def test_refresh_needs_the_cookie(guest: FlowClient) -> None:
    assert_refused(guest.send("POST", "refresh/"), 401, "not_authenticated")


def test_an_access_token_alone_refreshes_nothing(
    enter: Enter, guest: FlowClient, ada: Person
) -> None:
    guest.token = enter(ada).token
    assert_refused(guest.send("POST", "refresh/"), 401, "not_authenticated")


@pytest.mark.needs("refresh")
@pytest.mark.quick
def test_two_tabs_that_refresh_at_once_stay_one_login(
    enter: Enter, guest: FlowClient, ada: Person
) -> None:
    one = enter(ada)
    other = steal(one, guest)
    one.refresh()
    other.refresh()
    assert one.whoami() == other.whoami()
    one.refresh()
    other.refresh()
    assert_logged_in(one)
    assert_logged_in(other)


@pytest.mark.needs("refresh")
@pytest.mark.quick
def test_a_secret_two_refreshes_old_is_refused(
    enter: Enter, guest: FlowClient, flow: str, ada: Person
) -> None:
    client = enter(ada)
    late = steal(client, guest)
    client.refresh()
    client.refresh()
    code = str(difference("code_of_a_rotated_secret", flow))
    assert_refused(late.send("POST", "refresh/"), 401, code)
    renewed = client.send("POST", "refresh/").is_success
    assert renewed == difference("lives_on_after_reuse", flow)


@pytest.mark.inside("moves the clock")
@pytest.mark.needs("refresh")
def test_after_the_grace_a_refreshed_secret_is_refused(
    enter: Enter,
    guest: FlowClient,
    flow: str,
    ada: Person,
    clock: Clock,
    settings: Settings,
) -> None:
    client = enter(ada)
    late = steal(client, guest)
    client.refresh()
    clock.advance(settings.GRACE_SECONDS + 1)
    code = str(difference("code_of_a_rotated_secret", flow))
    assert_refused(late.send("POST", "refresh/"), 401, code)
    renewed = client.send("POST", "refresh/").is_success
    assert renewed == difference("lives_on_after_reuse", flow)


@pytest.mark.inside("changes settings")
@pytest.mark.django_db(transaction=True)
@pytest.mark.needs("refresh")
def test_what_a_reuse_ended_stays_ended_in_atomic_requests(
    enter: Enter, guest: FlowClient, flow: str, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Surprise: DRF rolls such a request back when it answers 401, and the revocation with it."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    client = enter(ada)
    late = steal(client, guest)
    client.refresh()
    client.refresh()
    assert late.send("POST", "refresh/").status_code == 401
    renewed = client.send("POST", "refresh/").is_success
    assert renewed == difference("lives_on_after_reuse", flow)
