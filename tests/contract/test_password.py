"""What does a new password end, and what goes on? `POST password/`."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password

from accounts.client import FlowClient
from accounts.models import User
from tests.contract.answers import (
    assert_credential,
    assert_ended,
    assert_logged_in,
    assert_refused,
    secret_of,
    steal,
)
from tests.contract.people import Enter, Person, Visit

pytestmark = pytest.mark.strategies


def test_a_new_password_answers_a_credential(
    enter: Enter, flow: str, ada: Person, new_password: str
) -> None:
    body = {"current_password": ada.password, "new_password": new_password}
    response = enter(ada).send("POST", "password/", body)
    assert response.status_code == 200
    assert response.json().keys() == {"credential"}
    assert_credential(response.json()["credential"], flow)


@pytest.mark.needs("cookie", "devices", "refresh")
@pytest.mark.quick
def test_this_client_goes_on(enter: Enter, ada: Person, new_password: str) -> None:
    client = enter(ada)
    before = secret_of(client)
    client.change_password(ada.password, new_password)
    assert secret_of(client) != before
    assert client.me()["username"] == ada.username
    assert [entry["current"] for entry in client.devices()] == [True]
    client.refresh()
    client.rename(client.me()["display_name"])
    assert_logged_in(client)


@pytest.mark.needs("revocation")
@pytest.mark.quick
def test_every_other_login_ends_in_both_flows(
    enter: Enter, visit: Visit, ada: Person, flow: str, other_flow: str, new_password: str
) -> None:
    client = enter(ada)
    others = [steal(enter(ada, key), visit(key)) for key in (flow, other_flow)]
    client.change_password(ada.password, new_password)
    for other in others:
        assert_refused(other.send("GET", "me/"), 401, "credential_revoked")
        assert_ended(other)
    assert_logged_in(client)


@pytest.mark.needs("revocation")
def test_a_copy_of_this_client_from_before_ends_as_well(
    enter: Enter, guest: FlowClient, ada: Person, new_password: str
) -> None:
    """Threat: whoever stole this very login must not keep it beyond the change."""
    client = enter(ada)
    stolen = steal(client, guest)
    client.change_password(ada.password, new_password)
    assert_refused(stolen.send("GET", "me/"), 401, "credential_revoked")
    assert_ended(stolen)


@pytest.mark.needs("refresh")
def test_others_do_not_notice(enter: Enter, ada: Person, grace: Person, new_password: str) -> None:
    bystander = enter(grace)
    enter(ada).change_password(ada.password, new_password)
    assert_logged_in(bystander)
    bystander.refresh()


def test_only_the_new_password_opens(
    enter: Enter, visit: Visit, ada: Person, other_flow: str, new_password: str
) -> None:
    enter(ada).change_password(ada.password, new_password)
    old = {"username": ada.username, "password": ada.password}
    assert_refused(visit(other_flow).send("POST", "login/", old), 401, "bad_login")
    visit(other_flow).login(ada.username, new_password)


@pytest.mark.needs("refresh")
def test_a_wrong_current_password_changes_nothing(
    enter: Enter, ada: Person, new_password: str
) -> None:
    """R69: who finds an open browser must not be able to keep it."""
    client, other = enter(ada), enter(ada)
    body = {"current_password": "not-the-password", "new_password": new_password}
    response = client.send("POST", "password/", body)
    assert_refused(response, 400, "invalid", fields={"current_password"})
    assert_logged_in(client)
    other.refresh()
    assert_logged_in(enter(ada))


@pytest.mark.parametrize("weak", ["short", "qwertyuiop", "98765432109"])
@pytest.mark.needs("refresh")
def test_a_weak_password_is_refused(enter: Enter, ada: Person, weak: str) -> None:
    client, other = enter(ada), enter(ada)
    body = {"current_password": ada.password, "new_password": weak}
    assert_refused(client.send("POST", "password/", body), 400, "invalid", fields={"new_password"})
    other.refresh()


MEANWHILE: dict[str, Callable[[User], Any]] = {
    "logout-all": User.raise_epoch,
    "a reset": lambda user: User.objects.filter(pk=user.pk).update(password=make_password("a-b-c")),
    "a deactivation": lambda user: User.objects.filter(pk=user.pk).update(is_active=False),
}


@pytest.mark.inside("comes between two steps of the server")
@pytest.mark.needs("revocation")
@pytest.mark.parametrize("ending", MEANWHILE.values(), ids=MEANWHILE)
def test_what_came_while_the_new_one_was_hashed_is_not_undone(
    enter: Enter,
    ada: Person,
    new_password: str,
    ending: Callable[[User], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R70: whoever has a stolen login and the old password would keep the account by it."""
    client = enter(ada)

    def ended_meanwhile(*args: Any) -> str:
        monkeypatch.undo()
        ending(User.objects.get(username=ada.username))
        return make_password(*args)

    monkeypatch.setattr("django.contrib.auth.base_user.make_password", ended_meanwhile)
    body = {"current_password": ada.password, "new_password": new_password}
    assert_refused(client.send("POST", "password/", body), 401, "credential_revoked")
    assert_ended(client)
    assert not User.objects.get(username=ada.username).check_password(new_password)


def test_a_password_is_changed_only_by_its_owner(guest: FlowClient, ada: Person) -> None:
    body = {"current_password": ada.password, "new_password": "seven-swallows"}
    assert_refused(guest.send("POST", "password/", body), 401, "not_authenticated")
