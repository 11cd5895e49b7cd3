"""What does anybody get who sends nonsense, whichever door they try? A calm no, and nothing moves.

The doors are all of them: the contract's calls, what stands beside them, the pages, the lab
and the admin. Bodies and fields of the contract's calls: `test_bad_input.py`.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from accounts.client import FlowClient
from accounts.contract.registry import flows
from tests.contract.addresses import (
    ACT_WITHOUT_A_BODY,
    INTROSPECTION,
    LEFT_OUT,
    addresses,
)
from tests.contract.answers import assert_calm, assert_logged_in, latin1, secret_of
from tests.contract.people import Enter, Person, Visit
from tests.rows import mostly_in_ci

MEGABYTE = 1_000_000
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "NONSENSE")


@pytest.fixture(autouse=True)
def open_lab(request: pytest.FixtureRequest) -> None:
    """The lab's addresses as well. No deployment has its lab on."""
    if not request.config.getoption("base_url"):
        request.getfixturevalue("lab")


# --- addresses ------------------------------------------------------------------------------


def routes(
    patterns: list[URLPattern | URLResolver], start: str = ""
) -> Iterator[tuple[str, Callable[..., Any]]]:
    for pattern in patterns:
        route = start + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, route)
        else:
            yield route, pattern.callback


def answered(view: Any) -> set[str]:
    """Which methods it has code for. Of Django's generic views, `put` is another name of `post`."""
    kind = getattr(view, "cls", None) or getattr(view, "view_class", None)
    names = view.view_initkwargs.get("http_method_names", kind.http_method_names) if kind else []
    return {name.upper() for name in names if hasattr(kind, name)} - {"HEAD", "OPTIONS", "PUT"}


@pytest.mark.once
@pytest.mark.inside("reads the site's URLs")
def test_every_address_of_the_site_is_tried(visit: Visit) -> None:
    tried: dict[str, set[str]] = {}
    for client in map(visit, (flow.key for flow in flows())):
        for path, methods in addresses(client):
            if path != "/api/nothing/":
                tried.setdefault(resolve(path).route, set()).update(methods)
    known = dict(routes(get_resolver().url_patterns))
    missing = known.keys() - tried.keys()
    assert {route for route in missing if not route.startswith(tuple(LEFT_OUT))} == set()
    assert all(any(route.startswith(start) for route in missing) for start in LEFT_OUT), "stale"
    for route, methods in tried.items():
        assert answered(known[route]) <= methods, route


# --- methods --------------------------------------------------------------------------------


@pytest.mark.once
@pytest.mark.parametrize("method", [*METHODS, "HEAD"])
@pytest.mark.parametrize("logged_in", [True, False], ids=["logged in", "nobody"])
def test_what_a_call_is_not_for_is_a_405(  # R79, A52
    enter: Enter, guest: FlowClient, ada: Person, method: str, logged_in: bool
) -> None:
    """Before anything is asked: with no credential and no CSRF token, and it changes nothing."""
    client = {True: enter(ada), False: guest}[logged_in]
    for path, methods in addresses(client, but=(INTROSPECTION,)):
        allowed = {*methods, *({"HEAD"} if "GET" in methods else ()), "OPTIONS"}
        if method in allowed or not path.startswith(f"/api/{client.flow}/"):
            continue
        headers = {"Authorization": f"Bearer {client.token}"} if client.token else {}
        response = client.http.request(method, path, headers=headers)
        assert (response.status_code, path) == (405, path)
        assert set(response.headers["allow"].split(", ")) - {"HEAD"} == {*methods, "OPTIONS"}
        assert method == "HEAD" or response.json()["code"] == "invalid"
        assert "set-cookie" not in response.headers
    assert not logged_in or client.refresh()


@pytest.mark.once
@pytest.mark.parametrize(
    ("method", "query", "headers", "status"),
    [
        ("PUT", "", {}, 405),
        ("OPTIONS", "", {}, 405),
        ("GET", "?format=nonsense", {}, 404),
        ("GET", "", {"Accept": "image/png"}, 406),
    ],
)
@pytest.mark.parametrize("path", ["/api/schema/", "/api/docs/"])
def test_what_answers_in_other_formats_refuses_in_the_same_form(
    guest: FlowClient, site: str, path: str, method: str, query: str, headers: dict, status: int
) -> None:
    headers = {**headers, "X-CSRFToken": guest.fetch_csrf_token()}
    response = guest.http.request(method, path + query, headers=headers)
    assert_calm(response)
    assert response.status_code == status


@pytest.mark.once
@pytest.mark.parametrize("method", METHODS)
def test_no_method_moves_anything_beside_the_contract(
    enter: Enter, ada: Person, method: str
) -> None:
    client = enter(ada)
    for path, methods in addresses(client):
        if method not in methods:
            response = client.http.request(method, path)
            assert_calm(response)
            # Nobody has registered a page for it, or it could not prove where it comes from. A
            # personal page answers a visitor without a credential first.
            assert response.status_code in (302, 403, 404, 405) or method in ("TRACE", "GET"), path
    assert client.refresh()


# --- headers --------------------------------------------------------------------------------

HEADERS: dict[str, dict[str, str]] = {
    "a bearer of nothing": {"Authorization": "Bearer"},
    "a bearer of garbage": {"Authorization": "Bearer \x01\x7f\\"},
    "a scheme of nobody": {"Authorization": "Negotiate YII="},
    "Basic": {"Authorization": f"Basic {b64encode(b'ada:ada-demo-password').decode()}"},
    "Basic without base64": {"Authorization": "Basic !!!"},
    "Digest": {"Authorization": 'Digest username="ada"'},
    "a quoted cookie": {"Cookie": '__Host-sessionid="; __Host-refresh="\\777\\'},
    "a cookie of separators": {"Cookie": ";;;=;=;,,,;$Version=1;\t; ="},
    "an octal escape in a cookie": {"Cookie": '__Host-refresh="\\303\\050\\000"'},
    "an origin that is none": {"Origin": "http://[::1"},
    "an origin of nothing": {"Origin": ""},
    "a referer that is none": {"Referer": "http://[fe80::%/"},
    "a type that is none": {"Content-Type": "json"},
    "a type of separators": {"Content-Type": ";;;=;/"},
    "a charset that is none": {"Content-Type": "application/json; charset=\x7f"},
    "a type of 8 kB": {"Content-Type": "a/b;" + "a=b;" * 2000},
    "a boundary too long": {"Content-Type": "multipart/form-data; boundary=" + "x" * 5000},
    "Accept of garbage": {"Accept": "/;q=x, */, ,a/b/c"},
    "an address that is none": {"X-Forwarded-For": "' OR 1=1 --, ::ffff:1, 999.1.1.1"},
    "a host forwarded": {"X-Forwarded-Host": "mallory.example"},
    "a protocol forwarded": {"X-Forwarded-Proto": "https"},
    "another method": {"X-HTTP-Method-Override": "DELETE"},
    "an agent of control characters": {"User-Agent": "\x01\x1b[2J\x7f"},
    "conditions": {"If-None-Match": "*", "If-Modified-Since": "garbage"},
    "a range": {"Range": "bytes=0-0,-1,9999999999999999999-"},
    "an id of ours": {"X-Request-ID": "\x01" * 300},
}


@pytest.mark.once
@pytest.mark.inside("clients and servers on the way refuse such headers")
@pytest.mark.parametrize("headers", mostly_in_ci(HEADERS, "Accept of garbage"))
def test_a_header_of_nonsense_is_answered_calmly(
    enter: Enter, ada: Person, headers: dict[str, str]
) -> None:
    client = enter(ada)
    for path, methods in addresses(client):
        for method in sorted(methods or {"GET"}):
            assert_calm(client.http.request(method, path, headers=latin1(headers)))
    assert client.refresh()


@pytest.mark.once
@pytest.mark.inside("a server on the way would look for another site")
@pytest.mark.parametrize(
    "host",
    ["mallory.example", "[::1", "a b", "127.0.0.1@evil", "x" * 999],
)
def test_a_host_that_is_not_ours_is_refused(enter: Enter, ada: Person, host: str) -> None:
    """Threat: links in e-mails and redirects are made of it."""
    client = enter(ada)
    for path, methods in addresses(client):
        response = client.http.request(min(methods or {"GET"}), path, headers={"Host": host})
        assert_calm(response)
        assert "mallory" not in response.headers.get("location", "")
        if path.startswith("/api/"):
            assert response.status_code == 400, path
            assert response.json()["code"] == "invalid"
    assert client.refresh()


@pytest.mark.once
def test_basic_opens_no_door(  # R73, A55
    enter: Enter, guest: FlowClient, ada: Person
) -> None:
    name = "Only who is logged in reads this"
    enter(ada).rename(name)
    pair = b64encode(f"{ada.username}:{ada.password}".encode()).decode()
    headers = {"Authorization": f"Basic {pair}"}
    for path, methods in addresses(guest, but=(INTROSPECTION,)):
        for method in sorted(methods or {"GET"}):
            plain = guest.http.request(method, path)
            basic = guest.http.request(method, path, headers=headers)
            assert basic.status_code == plain.status_code, path
            assert "basic" not in basic.headers.get("www-authenticate", "").lower()
            assert name not in basic.text
            assert "set-cookie" not in basic.headers or "csrf" in basic.headers["set-cookie"]


@pytest.mark.once
@pytest.mark.parametrize(
    "origin",
    mostly_in_ci(
        ["https://mallory.example", "null", "https://127.0.0.1.mallory.example", "*", "{site}"],
        "https://mallory.example",
    ),
)
def test_no_other_site_may_read_an_answer(  # R83
    enter: Enter, ada: Person, site: str, origin: str
) -> None:
    client = enter(ada)
    headers = {
        "Origin": origin.format(site=site),
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type, x-csrftoken",
    }
    for path, methods in addresses(client):
        for method in ("OPTIONS", *sorted(methods)):
            assert_calm(client.http.request(method, path, headers=headers))
    assert client.refresh()


# --- paths and queries ----------------------------------------------------------------------

SEGMENTS = {
    "not UTF-8": "%ff%fe",
    "half an escape": "%",
    "no hexadecimal": "%zz",
    "a NUL": "a%00b",
    "a line break": "a%0d%0aSet-Cookie:x=y",
    "a slash in disguise": "..%2f..%2fetc%2fpasswd",
    "dots in disguise": "%2e%2e",
    "escaped twice": "%252e%252e%252f",
    "a surrogate": "%ed%a0%80",
    "overlong UTF-8": "%c0%af",
    "a path in a path": "a;jsessionid=1",
    "SQL": "1'%20OR%20'1'='1",
    "a template": "%7B%7B7*7%7D%7D",
    "a wildcard": "*",
    "another alphabet": "%D0%BA%D0%BB%D1%8E%D1%87",
    "full-width": "%EF%BC%91",
    "1 kB": "a" * 1000,
    "a negative number": "-1",
    "all that a slug may be": "-_0",
}


@pytest.mark.parametrize("segment", mostly_in_ci(SEGMENTS, "a slash in disguise"))
def test_a_device_of_nonsense_is_not_found(enter: Enter, ada: Person, segment: str) -> None:
    client = enter(ada)
    before = {entry["id"] for entry in client.devices()}
    for path in (f"devices/{segment}/", f"{segment}/", f"me/{segment}"):
        response = client.send("DELETE", path)
        assert_calm(response)
        assert response.status_code in (404, 405), path
    assert_logged_in(client)
    assert {entry["id"] for entry in client.devices()} == before


@pytest.mark.once
@pytest.mark.parametrize("segment", mostly_in_ci(SEGMENTS, "not UTF-8"))
def test_an_address_of_nonsense_is_not_found(enter: Enter, ada: Person, segment: str) -> None:
    client = enter(ada)
    for start in ("/", "/api/", f"/{client.flow}/", "/lab/remembered/", "/admin/", "/.well-known/"):
        assert_calm(client.http.get(f"{start}{segment}/"))
    assert client.refresh()


@pytest.mark.once
@pytest.mark.parametrize("segment", mostly_in_ci(SEGMENTS, "a NUL"))
def test_a_query_of_nonsense_is_answered_calmly(enter: Enter, ada: Person, segment: str) -> None:
    client = enter(ada)
    for path, methods in addresses(client):
        if "GET" in methods:
            for name in ("format", "next"):
                query = f"{name}={segment}&{name}&%ff={segment}&a[]={segment}"
                assert_calm(client.http.get(f"{path}?{query}"))
    assert client.refresh()


@pytest.mark.once
@pytest.mark.inside("programs on the way have limits of their own")
def test_a_thousand_fields_in_the_query_hold_nobody_up(enter: Enter, ada: Person) -> None:
    client = enter(ada)
    query = "&".join(f"{i}=1" for i in range(5000))
    for path, methods in addresses(client):
        if "GET" in methods:
            assert_calm(client.http.get(f"{path}?{query}"))
    assert client.refresh()


# --- bodies ---------------------------------------------------------------------------------

GOOD = b'{"username": "ada", "password": "ada-demo-password", "display_name": "Ada"}'
BODIES: dict[str, tuple[str, bytes, set[int]]] = {
    "JSON as text": ("text/plain", GOOD, {415}),  # R82, A50
    "JSON as a form": ("application/x-www-form-urlencoded", GOOD, {415}),
    "JSON as its cousin": ("application/vnd.api+json", GOOD, {415}),
    "JSON as bytes": ("application/octet-stream", GOOD, {415}),
    "XML": ("text/xml", b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', {415}),
    "YAML": ("application/yaml", b"!!python/object/apply:os.system ['true']", {415}),
    "multipart": ("multipart/form-data; boundary=x", b"--x\r\n\r\n--x--", {415}),
    "half of an object": ("application/json", b'{"username": ', {400}),
    "a name twice": ("application/json", b'{"a": 1, "a": 2}', {400}),
    "a name twice, deeper": ("application/json", b'{"b": [{"a": 1, "\\u0061": 2}]}', {400}),
    "NaN": ("application/json", b'{"a": NaN}', {400}),
    "minus infinity": ("application/json", b'{"a": -Infinity}', {400}),
    "a byte order mark": ("application/json", b"\xef\xbb\xbf" + GOOD, {400}),
    "UTF-16": ("application/json; charset=utf-16", GOOD.decode().encode("utf-16"), {400}),
    "UTF-7": ("application/json; charset=utf-7", b"+AHsAfQ-", {400}),
    "brackets, 5 000 deep": ("application/json", b"[" * 5000 + b"]" * 5000, {400}),
    "brackets, 30 000 deep": ("application/json", b"[" * 30_000 + b"]" * 30_000, {400}),
    "objects, 5 000 deep": ("application/json", b'{"a":' * 5000 + b"1" + b"}" * 5000, {400}),
    "ten thousand digits": ("application/json", b'{"a": ' + b"9" * 10_000 + b"}", {400}),
    "a megabyte": ("application/json", b'{"a": "' + b"x" * MEGABYTE + b'"}', {413}),
    "a megabyte of brackets": ("application/json", b"[" * MEGABYTE, {413}),
    "a megabyte of text": ("text/plain", b"x" * MEGABYTE, {413, 415}),
}


@pytest.mark.once
@pytest.mark.parametrize(("content_type", "body", "statuses"), mostly_in_ci(BODIES, "JSON as text"))
def test_a_body_of_nonsense_reaches_no_call(
    enter: Enter, ada: Person, content_type: str, body: bytes, statuses: set[int]
) -> None:
    """Also where a call reads none: `logout` and `refresh` by a form would be a CSRF less."""
    client = enter(ada)
    me, device, secret = client.me(), client.whoami()["device"], secret_of(client)
    for path, methods in addresses(client, device, but=(INTROSPECTION,)):
        for method in sorted(methods - {"GET"}):
            if not path.startswith(f"/api/{client.flow}/"):
                continue
            # A server that has refused a body unread may close the connection.
            headers = {"Content-Type": content_type, "Connection": "close"}
            answer = client.send(
                method, path.removeprefix(f"/api/{client.flow}/"), content=body, headers=headers
            )
            assert_calm(answer)
            assert answer.status_code in statuses, (method, path, answer.text[:200])
    assert (client.me(), client.whoami()["device"], secret_of(client)) == (me, device, secret)


@pytest.mark.once
@pytest.mark.parametrize(
    ("content_type", "body", "statuses"), mostly_in_ci(BODIES, "half of an object")
)
def test_a_page_takes_no_body_of_nonsense(
    enter: Enter, ada: Person, content_type: str, body: bytes, statuses: set[int]
) -> None:
    client = enter(ada)
    me = client.me()
    for path, methods in addresses(client, but=ACT_WITHOUT_A_BODY):
        if "POST" in methods and not path.startswith(f"/api/{client.flow}/"):
            for token in ({}, {"X-CSRFToken": client.fetch_csrf_token()}):
                headers = {"Content-Type": content_type, "Connection": "close", **token}
                assert_calm(client.http.post(path, content=body, headers=headers))
    assert_logged_in(client)
    assert client.me() == me


FIELDS = {
    "a NUL": "a\0b",
    "a megabyte": "x" * MEGABYTE,
    "markup": "<script>alert(1)</script>{{ 7 * 7 }}",
    "a line break": "a\r\nSet-Cookie: x=y",
    "a lone surrogate": "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "right to left": "\u202egnp.exe",
}


@pytest.mark.inside("it would use up the login limits")
@pytest.mark.parametrize("value", mostly_in_ci(FIELDS, "a NUL"))
@pytest.mark.parametrize(
    "name",
    mostly_in_ci(["username", "password", "display_name", "new_password", "device"], "username"),
)
def test_a_forms_field_of_nonsense_is_answered_calmly(
    enter: Enter, ada: Person, flow: str, name: str, value: str
) -> None:
    client = enter(ada)
    for shown in ("login", "profile", "devices"):
        headers = {"X-CSRFToken": client.fetch_csrf_token()}
        form = {"username": "nobody-of-that-name", "password": "x", name: value}
        response = client.http.post(f"/{flow}/{shown}/", data=form, headers=headers)
        assert_calm(response)
        assert "<script>alert" not in response.text
    assert json.loads(client.send("GET", "whoami/").text)["device"]
