"""Does a credential with one character changed still open anything? Named changes of any text."""

from collections.abc import Callable

import pytest

from accounts.client import FlowClient
from tests.contract.answers import assert_logged_in, assert_refused, holding, secret_of
from tests.contract.people import Enter, Person

pytestmark = pytest.mark.once

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def replaced(text: str, at: int, bits: int) -> str:
    """Flip bits of one base64url character; another character becomes an `A`."""
    at %= len(text)
    old = text[at]
    new = ALPHABET[ALPHABET.index(old) ^ bits] if old in ALPHABET else "A"
    return text[:at] + new + text[at + 1 :]


CHANGES: dict[str, Callable[[str], str]] = {
    "the last character is cut off": lambda text: text[:-1],
    "the first character is cut off": lambda text: text[1:],
    "half of it": lambda text: text[: len(text) // 2],
    "the first character flipped": lambda text: replaced(text, 0, 0b100000),
    "the middle character flipped": lambda text: replaced(text, len(text) // 2, 0b100000),
    "the last character flipped": lambda text: replaced(text, -1, 0b100000),
    "one character more": lambda text: text + "A",
    "padding behind it": lambda text: text + "=",
    "doubled": lambda text: text + text,
    "doubled with a dot": lambda text: f"{text}.{text}",
    "upper case": str.upper,
    "reversed": lambda text: text[::-1],
    "a line break's letters inside": lambda text: text[:9] + "%0A" + text[9:],
    "quoted": lambda text: f"'{text}'",
    "a path before it": lambda text: f"../../{text}",
    "a wildcard": lambda text: text[:-20] + "*",
    "without dots": lambda text: text.replace(".", ""),
    "dots only": lambda text: "..",
    "one word": lambda text: "null",
    "a number": lambda text: "1",
    "an object": lambda text: "{}",
    "a foreign alphabet": lambda text: "ключ" + text,
    "full-width digits": lambda text: "\uff11" + text[1:],
}
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
Change = Callable[[str], str]


def tampered(client: FlowClient, guest: FlowClient, change: Change) -> FlowClient:
    """A browser whose every credential text is changed in the same way."""
    token = None if client.token is None else change(client.token)
    return holding(guest, secret=change(secret_of(client)), token=token)


@pytest.mark.parametrize("change", ROWS)
def test_a_changed_credential_opens_nothing(
    enter: Enter, guest: FlowClient, ada: Person, change: Change
) -> None:
    client = enter(ada)
    response = tampered(client, guest, change).send("GET", "whoami/")
    assert_refused(response, 401, "credential_invalid")
    assert_logged_in(client)


@pytest.mark.parametrize("change", ROWS)
def test_a_changed_secret_refreshes_nothing(
    enter: Enter, guest: FlowClient, ada: Person, change: Change
) -> None:
    client = enter(ada)
    response = tampered(client, guest, change).send("POST", "refresh/")
    assert_refused(response, 401, "credential_invalid")
    client.refresh()


@pytest.mark.parametrize("change", ROWS)
def test_a_changed_secret_logs_nobody_out(
    enter: Enter, guest: FlowClient, ada: Person, change: Change
) -> None:
    client = enter(ada)
    assert tampered(client, guest, change).send("POST", "logout/").status_code == 204
    client.refresh()


def test_an_empty_credential_is_none(enter: Enter, guest: FlowClient, ada: Person) -> None:
    nobody = tampered(enter(ada), guest, lambda text: "")
    assert nobody.send("GET", "whoami/").status_code == 401
    assert_refused(nobody.send("POST", "refresh/"), 401, "not_authenticated")


def test_head_and_tail_of_two_credentials_open_nothing(
    enter: Enter, guest: FlowClient, ada: Person, mallory: Person
) -> None:
    """Threat: what names the user stands in front; mallory's own tail must not fit under it."""
    victim, attacker = enter(ada), enter(mallory)

    def spliced(head: str, tail: str) -> str:
        cut = len(head) - 30
        return head[:cut] + tail[-30:]

    token = spliced(victim.token, attacker.token) if victim.token and attacker.token else None
    secret = spliced(secret_of(victim), secret_of(attacker))
    client = holding(guest, secret=secret, token=token)
    assert_refused(client.send("GET", "whoami/"), 401, "credential_invalid")
    assert_refused(client.send("POST", "refresh/"), 401, "credential_invalid")
