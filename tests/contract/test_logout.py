"""What does a logout end, and when does it say so? `POST logout/`."""

import pytest

from accounts.client import FlowClient
from tests.contract.answers import (
    assert_ended,
    assert_logged_in,
    assert_refused,
    holding,
    secret_of,
    steal,
)
from tests.contract.people import Enter, Person, Visit

pytestmark = pytest.mark.strategies


def test_logout_answers_nothing(enter: Enter, ada: Person) -> None:
    response = enter(ada).send("POST", "logout/")
    assert (response.status_code, response.content) == (204, b"")


@pytest.mark.needs("revocation")
@pytest.mark.quick
def test_logout_ends_this_device(enter: Enter, guest: FlowClient, ada: Person) -> None:
    client = enter(ada)
    held = steal(client, guest)
    client.logout()
    assert_ended(held)


@pytest.mark.quick
def test_logout_leaves_the_browser_without_a_credential(enter: Enter, ada: Person) -> None:
    client = enter(ada)
    client.logout()
    assert_refused(client.send("GET", "whoami/"), 401, "not_authenticated")
    assert_refused(client.send("POST", "refresh/"), 401, "not_authenticated")


@pytest.mark.needs("refresh")
def test_logout_leaves_every_other_login_alone(
    enter: Enter, ada: Person, grace: Person, flow: str, other_flow: str
) -> None:
    others = [enter(ada), enter(ada, other_flow), enter(grace)]
    enter(ada).logout()
    for other in others:
        assert_logged_in(other)
        other.refresh()


@pytest.mark.needs("refresh")
@pytest.mark.quick
def test_logout_ends_the_predecessor_in_its_grace(
    enter: Enter, guest: FlowClient, ada: Person
) -> None:
    """Threat: the old id is answered for some seconds after a refresh, but not after a logout."""
    client = enter(ada)
    before = steal(client, guest)
    client.refresh()
    client.logout()
    assert_ended(before)


@pytest.mark.needs("refresh")
def test_logout_with_the_predecessor_ends_the_successor(
    enter: Enter, guest: FlowClient, ada: Person
) -> None:
    client = enter(ada)
    before = steal(client, guest)
    client.refresh()
    before.logout()
    assert_refused(client.send("POST", "refresh/"), 401, "credential_revoked")


def test_logout_twice_is_fine(enter: Enter, ada: Person) -> None:
    client = enter(ada)
    client.logout()
    client.logout()


@pytest.mark.needs("refresh")
def test_logout_with_a_login_that_is_over_is_fine(
    enter: Enter, guest: FlowClient, ada: Person
) -> None:
    client = enter(ada)
    used = steal(client, guest)
    client.refresh()
    client.refresh()
    assert client.send("POST", "logout/").status_code == 204
    assert used.send("POST", "logout/").status_code == 204


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "1." + 43 * "A", '"', "é", "x" * 5000])
def test_logout_with_a_malformed_cookie_is_fine(guest: FlowClient, text: str) -> None:
    assert holding(guest, secret=text, token=text).send("POST", "logout/").status_code == 204


def test_logout_without_any_login_is_fine(guest: FlowClient) -> None:
    assert guest.send("POST", "logout/").status_code == 204


@pytest.mark.quick
def test_logout_ignores_the_other_flow(
    enter: Enter, guest: FlowClient, ada: Person, other_flow: str
) -> None:
    there = enter(ada, other_flow)
    assert steal(there, guest).send("POST", "logout/").status_code == 204
    assert_logged_in(there)
    there.refresh()


@pytest.mark.needs("refresh")
def test_an_access_token_alone_logs_nobody_out(
    enter: Enter, visit: Visit, flow: str, ada: Person
) -> None:
    """The authority of a logout is the cookie; a leaked access token must not end the login."""
    client, thief = enter(ada), visit(flow)
    thief.token = client.token
    assert thief.send("POST", "logout/").status_code == 204
    client.refresh()


@pytest.mark.needs("cookie")
def test_after_a_logout_one_can_log_in_again(enter: Enter, ada: Person) -> None:
    client = enter(ada)
    before = secret_of(client)
    client.logout()
    client.login(ada.username, ada.password)
    assert_logged_in(client)
    assert secret_of(client) != before
