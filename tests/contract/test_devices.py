"""Where am I logged in, and how do I end it? `GET devices/`, `DELETE devices/<id>/`."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.client import FlowClient
from lab.differences import difference
from tests.contract.answers import (
    DEVICE,
    assert_ended,
    assert_logged_in,
    assert_refused,
    steal,
)
from tests.contract.clock import Clock
from tests.contract.people import Enter, Person, Visit

pytestmark = pytest.mark.strategies


@pytest.mark.needs("devices")
@pytest.mark.quick
def test_devices_lists_every_login_of_both_flows(
    enter: Enter, ada: Person, flow: str, other_flow: str
) -> None:
    client = enter(ada)
    logins = {flow: [client, enter(ada)], other_flow: [enter(ada, other_flow)]}
    listed = {(entry["flow"], entry["id"]) for entry in client.devices()}
    assert listed >= {
        (difference("listed_as", key), login.whoami()["device"])
        for key, there in logins.items()
        for login in there
    }


@pytest.mark.needs("devices")
def test_a_device_says_where_and_since_when(enter: Enter, flow: str, ada: Person) -> None:
    client = enter(ada)
    response = client.send("GET", "devices/")
    assert response.status_code == 200
    listed = response.json()
    assert all(entry.keys() == DEVICE for entry in listed)
    assert [entry["current"] for entry in listed].count(True) == 1
    here = next(entry for entry in listed if entry["current"])
    assert here["flow"] == difference("listed_as", flow)
    assert here["ip"]
    assert here["user_agent"].startswith("python-httpx")
    created, seen, expires = (
        datetime.fromisoformat(here[name]) for name in ("created", "last_seen", "expires")
    )
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)
    # Redis counts whole seconds, the database microseconds.
    assert created - timedelta(seconds=1) <= seen < expires


def test_devices_shows_nobody_elses(enter: Enter, ada: Person, mallory: Person) -> None:
    hers = enter(ada).whoami()["device"]
    assert hers not in [entry["id"] for entry in enter(mallory).devices()]


@pytest.mark.needs("devices")
@pytest.mark.quick
def test_a_device_can_be_ended(enter: Enter, guest: FlowClient, ada: Person) -> None:
    client, lost, bystander = enter(ada), enter(ada), enter(ada)
    device = lost.whoami()["device"]
    response = client.send("DELETE", f"devices/{device}/")
    assert (response.status_code, response.content) == (204, b"")
    assert_ended(steal(lost, guest))
    assert device not in [entry["id"] for entry in client.devices()]
    assert_logged_in(client)
    bystander.refresh()


def test_a_device_of_the_other_flow_can_be_ended(
    enter: Enter, visit: Visit, ada: Person, other_flow: str
) -> None:
    client, lost = enter(ada), enter(ada, other_flow)
    device = lost.whoami()["device"]
    assert client.send("DELETE", f"devices/{device}/").status_code == 204
    assert_ended(steal(lost, visit(other_flow)))
    assert_logged_in(client)


@pytest.mark.needs("devices")
def test_ones_own_device_can_be_ended(enter: Enter, guest: FlowClient, ada: Person) -> None:
    client = enter(ada)
    held = steal(client, guest)
    client.end_device(client.whoami()["device"])
    assert_ended(held)


@pytest.mark.needs("devices")
def test_a_device_ends_once(enter: Enter, ada: Person) -> None:
    client, lost = enter(ada), enter(ada)
    path = f"devices/{lost.whoami()['device']}/"
    assert client.send("DELETE", path).status_code == 204
    assert_refused(client.send("DELETE", path), 404, "not_found")


@pytest.mark.needs("devices")
def test_nobody_can_end_a_device_of_somebody_else(
    enter: Enter, ada: Person, mallory: Person, flow: str, other_flow: str
) -> None:
    """Threat: a device id is shown in lists and logs; knowing one must not be enough."""
    attacker = enter(mallory)
    for victim in (enter(ada, flow), enter(ada, other_flow)):
        path = f"devices/{victim.whoami()['device']}/"
        assert_refused(attacker.send("DELETE", path), 404, "not_found")
        victim.refresh()


@pytest.mark.parametrize(
    "device",
    [
        "0",
        "AAAAAAAAAAA",
        "x" * 300,
        "select",
        "-",
        "_",
        "1.1",
        "%00",
        "a%20b",
        "*",
        "%F0%9F%90%A6",
        "%2e%2e%2fme",
        "x" * 3000,
    ],
)
def test_a_device_that_never_was_is_not_found(enter: Enter, ada: Person, device: str) -> None:
    client = enter(ada)
    response = client.send("DELETE", f"devices/{device}/")
    assert_refused(response, 404, "not_found")
    assert_logged_in(client)


@pytest.mark.inside("moves the clock")
@pytest.mark.needs("devices")
def test_ends_within_is_kept_to_the_second(
    enter: Enter, guest: FlowClient, flow: str, ada: Person, clock: Clock
) -> None:
    client, lost = enter(ada), enter(ada)
    device = lost.whoami()["device"]
    within = next(d["ends_within"] for d in client.devices() if d["id"] == device)
    client.end_device(device)
    held = steal(lost, guest)
    assert_ended(held)
    clock.advance(within)
    assert held.send("GET", "whoami/").status_code == 401
    assert within == difference("ends_within", flow)


@pytest.mark.inside("moves the clock")
@pytest.mark.needs("devices")
def test_a_device_that_is_not_used_disappears(enter: Enter, ada: Person, clock: Clock) -> None:
    unused = enter(ada).whoami()["device"]
    expires = next(d["expires"] for d in enter(ada).devices() if d["id"] == unused)
    clock.advance((datetime.fromisoformat(expires) - datetime.now(UTC)).total_seconds() + 1)
    assert unused not in [entry["id"] for entry in enter(ada).devices()]
