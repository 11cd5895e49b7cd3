"""Who am I, from the credential alone? `GET whoami/`."""

import pytest

from accounts.client import FlowClient
from tests.contract.answers import assert_refused
from tests.contract.people import Enter, Person

pytestmark = pytest.mark.strategies


@pytest.mark.needs("devices")
@pytest.mark.quick
def test_whoami_answers_id_roles_and_device(enter: Enter, ada: Person) -> None:
    client = enter(ada)
    answer = client.whoami()
    assert answer.keys() == {"id", "roles", "device"}
    assert answer["id"] == client.me()["id"]
    assert answer["roles"] == []
    current = [entry["id"] for entry in client.devices() if entry["current"]]
    assert current == [answer["device"]]


@pytest.mark.quick
def test_whoami_of_nobody_is_refused(guest: FlowClient) -> None:
    assert_refused(guest.send("GET", "whoami/"), 401, "not_authenticated")


def test_whoami_tells_two_people_apart(enter: Enter, ada: Person, mallory: Person) -> None:
    assert enter(ada).whoami()["id"] != enter(mallory).whoami()["id"]
