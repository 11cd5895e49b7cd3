"""What can users read and change about themselves? `GET` and `PATCH me/`."""

from collections.abc import Iterator

import pytest

from accounts.client import FlowClient
from tests.contract.answers import PROFILE, assert_refused
from tests.contract.people import Enter, Person

pytestmark = pytest.mark.strategies


@pytest.fixture
def client(enter: Enter, ada: Person) -> Iterator[FlowClient]:
    """A browser of ada's, whose display name is put back."""
    client = enter(ada)
    name = client.me()["display_name"]
    yield client
    client.rename(name)


@pytest.mark.quick
def test_me_answers_the_profile(client: FlowClient, ada: Person) -> None:
    answer = client.me()
    assert answer.keys() == PROFILE
    assert answer["username"] == ada.username
    assert answer["id"] == client.whoami()["id"]
    assert answer["roles"] == []


@pytest.mark.parametrize("name", ["Ada", "", "x" * 80, "Ada Lovelace, née Byron", "名前 🐦", "<b>"])
def test_the_display_name_can_be_changed(client: FlowClient, name: str) -> None:
    response = client.send("PATCH", "me/", {"display_name": name})
    assert response.status_code == 200
    assert response.json().keys() == PROFILE
    assert client.me()["display_name"] == response.json()["display_name"] == name


@pytest.mark.parametrize(
    "planted",
    [
        {"username": "root"},
        {"email": "mallory@example.org"},
        {"roles": ["admin"]},
        {"is_superuser": True, "is_staff": True},
        {"id": 1},
        {"epoch": 1},
        {"password": "mallory-was-here"},
    ],
    ids=str,
)
def test_nothing_else_can_be_changed(client: FlowClient, planted: dict[str, object]) -> None:
    before = client.me()
    client.send("PATCH", "me/", {"display_name": "Ada", **planted})
    assert client.me() == {**before, "display_name": "Ada"}


@pytest.mark.parametrize("name", ["x" * 81, None, 7, True, ["Ada"], {"Ada": 1}, "a\0b"], ids=repr)
def test_a_display_name_of_another_shape_is_refused(client: FlowClient, name: object) -> None:
    before = client.me()
    response = client.send("PATCH", "me/", {"display_name": name})
    assert_refused(response, 400, "invalid", fields={"display_name"})
    assert client.me() == before


def test_a_missing_display_name_is_named(client: FlowClient) -> None:
    assert_refused(client.send("PATCH", "me/", {}), 400, "invalid", fields={"display_name"})


def test_a_change_of_one_flow_is_seen_in_the_other(
    client: FlowClient, enter: Enter, ada: Person, other_flow: str
) -> None:
    client.rename("Countess")
    assert enter(ada, other_flow).me()["display_name"] == "Countess"
