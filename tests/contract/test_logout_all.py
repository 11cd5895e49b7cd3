"""What does "log out everywhere" reach? `POST logout-all/`."""

import pytest

from accounts.client import FlowClient
from tests.contract.answers import assert_ended, assert_logged_in, assert_refused, steal
from tests.contract.people import Enter, Person, Visit

pytestmark = pytest.mark.strategies


def test_logout_all_answers_nothing(enter: Enter, ada: Person) -> None:
    response = enter(ada).send("POST", "logout-all/")
    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.needs("revocation")
@pytest.mark.quick
def test_logout_all_ends_every_login_in_both_flows(
    enter: Enter, visit: Visit, ada: Person, flow: str, other_flow: str
) -> None:
    client = enter(ada)
    logins = [client, enter(ada), enter(ada, other_flow)]
    held = [steal(login, visit(login.flow)) for login in logins]
    client.logout_all()
    for login in held:
        assert_refused(login.send("GET", "me/"), 401, "credential_revoked")
        assert_ended(login)


@pytest.mark.needs("refresh")
@pytest.mark.quick
def test_logout_all_reaches_the_predecessor_in_its_grace(
    enter: Enter, guest: FlowClient, ada: Person
) -> None:
    client = enter(ada)
    before = steal(client, guest)
    client.refresh()
    client.logout_all()
    assert_ended(before)


@pytest.mark.needs("devices")
def test_afterwards_only_new_logins_are_listed(enter: Enter, ada: Person, other_flow: str) -> None:
    enter(ada, other_flow)
    enter(ada).logout_all()
    client = enter(ada)
    assert [entry["id"] for entry in client.devices()] == [client.whoami()["device"]]


@pytest.mark.needs("refresh")
def test_others_do_not_notice(enter: Enter, ada: Person, grace: Person) -> None:
    bystander = enter(grace)
    enter(ada).logout_all()
    assert_logged_in(bystander)
    bystander.refresh()


def test_logout_all_needs_a_login(guest: FlowClient) -> None:
    assert_refused(guest.send("POST", "logout-all/"), 401, "not_authenticated")


@pytest.mark.needs("refresh")
def test_a_revoked_login_cannot_log_out_the_new_ones(
    enter: Enter, visit: Visit, flow: str, ada: Person
) -> None:
    """Threat: an old, still signed credential must not be able to throw its owner out again."""
    client = enter(ada)
    held = steal(client, visit(flow))
    client.logout_all()
    fresh = enter(ada)
    assert_refused(held.send("POST", "logout-all/"), 401, "credential_revoked")
    fresh.refresh()
