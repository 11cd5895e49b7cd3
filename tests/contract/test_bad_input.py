"""What happens to a body of any shape? A 4xx in the error form; never a 5xx, never a hang."""

import json
import zlib
from typing import Any

import pytest

from accounts.client import FlowClient
from tests.contract.answers import assert_logged_in, assert_refused
from tests.contract.people import Enter, Person

MISSING = object()
VALUES: dict[str, Any] = {
    "missing": MISSING,
    "null": None,
    "a list": ["ada"],
    "an object": {"$ne": ""},
    "a number": 17,
    "a huge number": 10**400,
    "true": True,
    "empty": "",
    "a NUL": "a\0b",
    "a lone surrogate": "\ud800",
    "too long": "x" * 1025,
    "10 kB": "x" * 10_000,
}
FIELDS = {
    "login/": ("username", "password"),
    "password/": ("current_password", "new_password"),
}
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "white space": b" \n ",
    "not JSON": b"username=ada",
    "half of an object": b'{"username": "ada", ',
    "a list": b"[]",
    "a list of the fields": b'["username", "password"]',
    "a string": b'"ada"',
    "a number": b"17",
    "null": b"null",
    "true": b"true",
    "NaN": b'{"username": NaN, "password": "x"}',
    "a huge exponent": b'{"username": 1e999999, "password": "x"}',
    "five thousand digits": b'{"username": ' + b"1" * 5000 + b', "password": "x"}',
    "not UTF-8": b'{"username": "\xff\xfe", "password": "x"}',
    "UTF-16": '{"username": "ada", "password": "x"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a raw NUL": b'{"username": "a\0", "password": "x"}',
    "brackets, 1 000 deep": b"[" * 1_000 + b"]" * 1_000,
    "brackets, 30 000 deep": b"[" * 30_000 + b"]" * 30_000,
    "objects, 10 000 deep": b'{"a":' * 10_000,
    "a pickle": b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00\x8c\x01a\x94.",
}
CHARSETS = [
    "utf-7",
    "utf-16",
    "utf-32",
    "idna",
    "punycode",
    "rot13",
    "hex",
    "base64",
    "zlib",
    "bz2",
    "raw_unicode_escape",
    "undefined",
    "no-such-charset",
]
JSON = {"Content-Type": "application/json"}


def body_with(path: str, name: str, value: object, person: Person) -> bytes:
    """A good body in which one field has this value."""
    fields = {
        "username": person.username,
        "password": person.password,
        "current_password": person.password,
        "new_password": "seven-swallows-over-the-mill",
    }
    body = {field: fields[field] for field in FIELDS[path]} | {name: value}
    # ASCII with escapes: the one way in which a lone surrogate can be sent.
    return json.dumps({key: v for key, v in body.items() if v is not MISSING}).encode()


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize(
    ("path", "name"), [(path, name) for path, names in FIELDS.items() for name in names]
)
def test_a_field_of_another_shape_is_named(
    enter: Enter, ada: Person, path: str, name: str, value: object
) -> None:
    client = enter(ada)
    body = body_with(path, name, value, ada)
    response = client.send("POST", path, content=body, headers=JSON)
    assert_refused(response, 400, "invalid", fields={name})
    assert_logged_in(client)


def test_a_username_may_have_150_characters_and_no_more(guest: FlowClient, site: str) -> None:
    for length, status, code, fields in (
        (150, 401, "bad_login", None),
        (151, 400, "invalid", {"username"}),
    ):
        body = {"username": "x" * length, "password": "not-the-password"}
        assert_refused(guest.send("POST", "login/", body), status, code, fields=fields)


@pytest.mark.once
@pytest.mark.parametrize("path", ["login/", "password/"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_of_another_shape_is_refused(
    enter: Enter, ada: Person, path: str, body: bytes
) -> None:
    client = enter(ada)
    response = client.send("POST", path, content=body, headers=JSON)
    assert response.status_code == 400
    assert_refused(response, 400, "invalid", fields=set(response.json().get("errors", {})))
    assert_logged_in(client)


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_profile_of_another_shape_is_refused(enter: Enter, ada: Person, body: bytes) -> None:
    client = enter(ada)
    before = client.me()
    response = client.send("PATCH", "me/", content=body, headers=JSON)
    assert_refused(response, 400, "invalid", fields=set(response.json().get("errors", {})))
    assert client.me() == before


@pytest.mark.once
@pytest.mark.parametrize("size", [70_000, 1_000_000])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "login/"), ("POST", "password/"), ("PATCH", "me/")]
)
def test_a_body_beyond_all_need_is_refused(
    enter: Enter, ada: Person, method: str, path: str, size: int
) -> None:
    client = enter(ada)
    body = json.dumps({"display_name": "x" * size}).encode()
    # A server that has refused a body unread may close the connection (RFC 9110, section 15.5.14).
    headers = {**JSON, "Connection": "close"}
    assert_refused(client.send(method, path, content=body, headers=headers), 413, "invalid")
    assert_logged_in(client)


@pytest.mark.once
@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("body", [b'{"username": 1}', b"\xff\xfe\x00", b"61", zlib.compress(b"{}")])
def test_a_charset_of_the_senders_choice_breaks_nothing(
    guest: FlowClient, site: str, charset: str, body: bytes
) -> None:
    """Threat: Python counts zlib among its charsets, and many raise errors of their own."""
    headers = {"Content-Type": f"application/json; charset={charset}"}
    response = guest.send("POST", "login/", content=body, headers=headers)
    status = response.status_code
    assert status in (400, 415)
    assert_refused(response, status, "invalid", fields=set(response.json().get("errors", {})))


@pytest.mark.once
@pytest.mark.parametrize("encoding", ["gzip", "br", "x-unknown"])
def test_a_compressed_body_is_not_unpacked(guest: FlowClient, site: str, encoding: str) -> None:
    headers = {**JSON, "Content-Encoding": encoding}
    response = guest.send("POST", "login/", content=zlib.compress(b"{}"), headers=headers)
    assert_refused(response, 400, "invalid")


@pytest.mark.once
@pytest.mark.parametrize("query", ["format=xml", "format=", "_method=DELETE", "x[]=1&x[]=2"])
def test_a_query_string_changes_nothing(enter: Enter, ada: Person, query: str) -> None:
    client = enter(ada)
    assert client.send("GET", f"whoami/?{query}").status_code in (200, 404)
    assert_logged_in(client)
