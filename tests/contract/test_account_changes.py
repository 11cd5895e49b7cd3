"""What happens to logins when the account changes? Roles, deactivation, reactivation, deletion."""

from typing import Any

import pytest
from django.test import TestCase

from accounts.client import FlowClient
from accounts.models import User
from lab.differences import difference
from tests.contract.answers import assert_ended, assert_logged_in, assert_refused, steal
from tests.contract.calls import PERSONAL, Call
from tests.contract.people import Enter, Person, Visit

pytestmark = [
    pytest.mark.inside("changes the user's row"),
    pytest.mark.strategies,
    pytest.mark.needs("revocation"),
]


def change(person: Person, **values: Any) -> None:
    """Save other values, and do what a commit does."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        user = User.objects.get(username=person.username)
        for name, value in values.items():
            setattr(user, name, value)
        user.save()


def change_in_bulk(person: Person, **values: Any) -> None:
    """The same as one UPDATE, as the admin's actions do."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        User.objects.filter(username=person.username).update(**values)


def delete(person: Person) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        User.objects.get(username=person.username).delete()


def delete_in_bulk(person: Person) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        User.objects.filter(username=person.username).delete()


CHANGES = pytest.mark.parametrize("change", [change, change_in_bulk])
DELETIONS = pytest.mark.parametrize("delete", [delete, delete_in_bulk])


@CHANGES
def test_a_role_is_seen_when_the_flow_promises(
    enter: Enter, flow: str, ada: Person, change: Any
) -> None:
    client = enter(ada)
    change(ada, is_staff=True)
    seen = {"next request": ["staff"], "next refresh": []}
    assert client.whoami()["roles"] == seen[str(difference("role_change_seen", flow))]
    client.refresh()
    assert client.whoami()["roles"] == ["staff"]
    assert client.me()["roles"] == ["staff"]


@CHANGES
def test_a_role_taken_away_is_gone_after_a_refresh(enter: Enter, ada: Person, change: Any) -> None:
    change(ada, is_staff=True, is_superuser=True)
    client = enter(ada)
    assert client.whoami()["roles"] == ["staff", "admin"]
    change(ada, is_staff=False, is_superuser=False)
    client.refresh()
    assert client.whoami()["roles"] == []


@CHANGES
def test_deactivation_ends_every_login(
    enter: Enter, visit: Visit, ada: Person, flow: str, other_flow: str, change: Any
) -> None:
    held = [steal(enter(ada, key), visit(key)) for key in (flow, other_flow)]
    change(ada, is_active=False)
    for client in held:
        assert_refused(client.send("GET", "me/"), 401, "credential_revoked")
        assert_ended(client)


@CHANGES
def test_reactivation_revives_nothing(
    enter: Enter, ada: Person, guest: FlowClient, change: Any
) -> None:
    """Threat: both stock flows let the old credentials work again."""
    held = steal(enter(ada), guest)
    change(ada, is_active=False)
    change(ada, is_active=True)
    assert_refused(held.send("GET", "me/"), 401, "credential_revoked")
    assert_ended(held)
    assert_logged_in(enter(ada))


def test_others_do_not_notice(enter: Enter, ada: Person, grace: Person) -> None:
    bystander = enter(grace)
    enter(ada)
    delete(ada)
    assert_logged_in(bystander)
    bystander.refresh()


@DELETIONS
@pytest.mark.parametrize("call", [call for call in PERSONAL if call.name != "whoami"], ids=str)
def test_nothing_of_a_deleted_user_breaks(
    enter: Enter, flow: str, ada: Person, call: Call, delete: Any
) -> None:
    client = enter(ada)
    device = client.whoami()["device"]
    delete(ada)
    said = str(difference("code_of_a_deleted_user", flow))
    assert_refused(call.send(client, ada, device=device), 401, said)


@DELETIONS
def test_a_deleted_user_is_gone(
    enter: Enter, guest: FlowClient, flow: str, ada: Person, delete: Any
) -> None:
    client = enter(ada)
    held = steal(client, guest)
    delete(ada)
    assert client.send("GET", "whoami/").status_code == difference("whoami_after_logout", flow)
    renewed = held.send("POST", "refresh/")
    assert renewed.status_code == 401
    # The row that would say more is gone with the user.
    assert renewed.json()["code"] in ("credential_revoked", "credential_invalid")
    assert_refused(renewed, 401, renewed.json()["code"])
    body = {"username": ada.username, "password": ada.password}
    assert_refused(held.send("POST", "login/", body), 401, "bad_login")
    assert held.send("POST", "logout/").status_code == 204


def test_a_password_set_by_somebody_else_ends_every_login(
    enter: Enter, guest: FlowClient, ada: Person
) -> None:
    """As an administrator or `manage.py changepassword` does."""
    held = steal(enter(ada), guest)
    with TestCase.captureOnCommitCallbacks(execute=True):
        user = User.objects.get(username=ada.username)
        user.set_password("set-by-an-administrator")
        user.save()
    assert_refused(held.send("GET", "me/"), 401, "credential_revoked")
    assert_ended(held)


def test_another_column_ends_nothing(enter: Enter, ada: Person) -> None:
    client = enter(ada)
    change(ada, first_name="Augusta", email="augusta@example.org")
    assert_logged_in(client)
    client.refresh()


def test_a_row_that_was_read_before_revives_nothing(
    enter: Enter, guest: FlowClient, ada: Person
) -> None:
    """Threat: an old instance's `save` would write the old epoch back."""
    old_row = User.objects.get(username=ada.username)
    client = enter(ada)
    held = steal(client, guest)
    client.logout_all()
    with TestCase.captureOnCommitCallbacks(execute=True):
        old_row.display_name = "saved late"
        old_row.save()
    assert_refused(held.send("GET", "me/"), 401, "credential_revoked")
    assert_ended(held)
