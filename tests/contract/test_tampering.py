"""Does a credential with one character changed still open anything? Named changes of any text."""

import pytest

from accounts.client import FlowClient
from tests.contract.answers import (
    assert_logged_in,
    assert_refused,
    holding,
    secret_of,
    token_of,
)
from tests.contract.people import Enter, Person
from tests.contract.tampering import CHANGES, Change

pytestmark = [pytest.mark.strategies, pytest.mark.once]

INSIDE = {
    "a NUL at the end": lambda text: text + "\0",
    "a NUL inside": lambda text: text[:9] + "\0" + text[9:],
    "10 kB": lambda text: text + 10_000 * "A",
    "10 kB of dots": lambda text: 10_000 * ".",
}
ROWS = [pytest.param(change, id=name) for name, change in CHANGES.items()] + [
    pytest.param(
        change, id=name, marks=pytest.mark.inside("programs on the way refuse such a header")
    )
    for name, change in INSIDE.items()
]


def tampered(client: FlowClient, guest: FlowClient, change: Change) -> FlowClient:
    """A browser whose every credential text is changed in the same way."""
    token = token_of(client)
    changed = None if token is None else change(token)
    return holding(guest, secret=change(secret_of(client)), token=changed)


@pytest.mark.parametrize("change", ROWS)
@pytest.mark.needs("cookie")
def test_a_changed_credential_opens_nothing(
    enter: Enter, guest: FlowClient, ada: Person, change: Change
) -> None:
    client = enter(ada)
    response = tampered(client, guest, change).send("GET", "whoami/")
    assert_refused(response, 401, "credential_invalid")
    assert_logged_in(client)


@pytest.mark.parametrize("change", ROWS)
@pytest.mark.needs("cookie")
def test_a_changed_secret_refreshes_nothing(
    enter: Enter, guest: FlowClient, ada: Person, change: Change
) -> None:
    client = enter(ada)
    response = tampered(client, guest, change).send("POST", "refresh/")
    assert_refused(response, 401, "credential_invalid")
    client.refresh()


@pytest.mark.thorough
@pytest.mark.parametrize("change", ROWS)
@pytest.mark.needs("cookie")
def test_a_changed_secret_logs_nobody_out(
    enter: Enter, guest: FlowClient, ada: Person, change: Change
) -> None:
    client = enter(ada)
    assert tampered(client, guest, change).send("POST", "logout/").status_code == 204
    client.refresh()


@pytest.mark.needs("cookie")
def test_an_empty_credential_is_none(enter: Enter, guest: FlowClient, ada: Person) -> None:
    nobody = tampered(enter(ada), guest, lambda text: "")
    assert nobody.send("GET", "whoami/").status_code == 401
    assert_refused(nobody.send("POST", "refresh/"), 401, "not_authenticated")


@pytest.mark.needs("cookie")
def test_head_and_tail_of_two_credentials_open_nothing(
    enter: Enter, guest: FlowClient, ada: Person, mallory: Person
) -> None:
    """Threat: what names the user stands in front; mallory's own tail must not fit under it."""
    victim, attacker = enter(ada), enter(mallory)

    def spliced(head: str, tail: str) -> str:
        cut = len(head) - 30
        return head[:cut] + tail[-30:]

    hers, own = token_of(victim), token_of(attacker)
    token = spliced(hers, own) if hers and own else None
    secret = spliced(secret_of(victim), secret_of(attacker))
    client = holding(guest, secret=secret, token=token)
    assert_refused(client.send("GET", "whoami/"), 401, "credential_invalid")
    assert_refused(client.send("POST", "refresh/"), 401, "credential_invalid")
