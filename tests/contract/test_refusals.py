"""What is not a credential here? Another flow's, another place's, another scheme's.

R53, R72, R92.
"""

from base64 import b64encode

import pytest

from accounts.client import FlowClient
from tests.contract.answers import (
    assert_logged_in,
    assert_refused,
    holding,
    secret_of,
    steal,
)
from tests.contract.calls import CALLS, PERSONAL, Call
from tests.contract.people import Enter, Person

pytestmark = [
    pytest.mark.once,
    # The others share their checks with one of these.
    pytest.mark.strategies("session-database", "session-push", "jwt-push", "jwt-cookie"),
    pytest.mark.needs("revocation"),
]

BY_NAME = {call.name: call for call in CALLS}
WRONG_METHODS = {
    "login/": ("GET", "PUT", "PATCH", "DELETE"),
    "refresh/": ("GET", "PUT", "PATCH", "DELETE"),
    "whoami/": ("POST", "PUT", "PATCH", "DELETE"),
    "me/": ("POST", "PUT", "DELETE"),
    "devices/": ("POST", "PUT", "PATCH", "DELETE"),
    "devices/AAAAAAAAAAA/": ("GET", "POST", "PUT", "PATCH"),
    "password/": ("GET", "PUT", "PATCH", "DELETE"),
    "logout/": ("GET", "PUT", "PATCH", "DELETE"),
    "logout-all/": ("GET", "PUT", "PATCH", "DELETE"),
}


@pytest.mark.parametrize("call", PERSONAL, ids=str)
def test_nobody_is_let_in(guest: FlowClient, ada: Person, call: Call) -> None:
    assert_refused(call.send(guest, ada, device="AAAAAAAAAAA"), 401, "not_authenticated")


@pytest.mark.parametrize("call", PERSONAL, ids=str)
def test_the_other_flows_credential_opens_nothing(
    enter: Enter, guest: FlowClient, ada: Person, other_flow: str, call: Call
) -> None:
    """Threat: a cookie that also opened the bearer API would bring CSRF back to it."""
    there = enter(ada, other_flow)
    device = there.whoami()["device"]
    foreign = steal(there, guest)
    assert_refused(call.send(foreign, ada, device=device), 401, "not_authenticated")
    assert_logged_in(there)


def test_the_other_flows_credential_refreshes_nothing(
    enter: Enter, guest: FlowClient, ada: Person, other_flow: str
) -> None:
    foreign = steal(enter(ada, other_flow), guest)
    assert_refused(foreign.send("POST", "refresh/"), 401, "not_authenticated")


def test_both_at_once_act_each_as_its_own(  # A54
    enter: Enter, guest: FlowClient, ada: Person, mallory: Person, other_flow: str
) -> None:
    mine, hers = enter(ada), enter(mallory, other_flow)
    both = steal(hers, guest)
    for cookie in mine.http.cookies.jar:
        both.http.cookies.jar.set_cookie(cookie)
    both.token = mine.token or hers.token
    assert both.me()["username"] == ada.username
    both.flow, both.under = other_flow, hers.under
    assert both.me()["username"] == mallory.username


def test_a_credential_text_opens_nothing_in_another_place(
    enter: Enter, guest: FlowClient, ada: Person
) -> None:
    """Threat: a refresh token taken for an access token would live for weeks instead of minutes."""
    client = enter(ada)
    secret, token = secret_of(client), client.token
    swapped = holding(guest, secret=token or "", token=secret)
    assert swapped.send("GET", "whoami/").status_code == 401
    assert swapped.send("POST", "refresh/").status_code == 401
    assert_logged_in(client)


@pytest.mark.parametrize("name", ["token", "access_token", "access", "sessionid", "refresh"])
def test_a_credential_in_the_url_or_the_body_is_ignored(
    enter: Enter, guest: FlowClient, ada: Person, name: str
) -> None:
    """R93, A53: URLs end up in logs, histories and Referer headers (RFC 9700, section 4.3.2)."""
    client = enter(ada)
    for text in filter(None, [secret_of(client), client.token]):
        asked = guest.send("GET", "whoami/", params={name: text})
        assert_refused(asked, 401, "not_authenticated")
        renewed = guest.send("POST", "refresh/", {name: text})
        assert_refused(renewed, 401, "not_authenticated")


@pytest.mark.parametrize("call", PERSONAL, ids=str)
def test_http_basic_is_refused_everywhere(  # R73
    guest: FlowClient, ada: Person, call: Call
) -> None:
    pair = b64encode(f"{ada.username}:{ada.password}".encode()).decode()
    headers = {"Authorization": f"Basic {pair}"}
    response = call.send(guest, ada, device="AAAAAAAAAAA", headers=headers)
    assert_refused(response, 401, "not_authenticated")
    assert "basic" not in response.headers["www-authenticate"].lower()


@pytest.mark.parametrize(
    ("path", "method"),
    [(path, method) for path, methods in WRONG_METHODS.items() for method in methods],
)
def test_a_wrong_method_does_nothing(  # R79, A52
    enter: Enter, ada: Person, path: str, method: str
) -> None:
    client = enter(ada)
    response = client.send(method, path)
    assert_refused(response, 405, "invalid")
    assert method not in response.headers["allow"]
    assert_logged_in(client)
    client.refresh()


@pytest.mark.parametrize("name", ["login", "rename", "password"])
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "",
    ],
)
def test_a_body_that_is_not_called_json_is_refused(
    enter: Enter, ada: Person, name: str, content_type: str
) -> None:
    """R82, A50: a form or text/plain can be sent by any site without asking first (CORS)."""
    client = enter(ada)
    response = BY_NAME[name].send(client, ada, headers={"Content-Type": content_type})
    assert_refused(response, 415, "invalid")
    assert_logged_in(enter(ada))


@pytest.mark.parametrize("path", ["login/", "password/"])
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n"),
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=" + "x" * 300, b"--x--"),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 2000)),
    ],
)
def test_a_form_is_refused(
    enter: Enter, ada: Person, path: str, content_type: str, body: bytes
) -> None:
    client = enter(ada)
    headers = {"Content-Type": content_type}
    assert_refused(client.send("POST", path, content=body, headers=headers), 415, "invalid")


@pytest.mark.parametrize("accept", ["application/xml", "image/png", "text/css;q=1"])
def test_an_answer_in_another_language_is_refused_as_json(
    enter: Enter, ada: Person, accept: str
) -> None:
    response = enter(ada).send("GET", "whoami/", headers={"Accept": accept})
    assert_refused(response, 406, "invalid")


def test_a_call_that_there_is_not_is_not_found(enter: Enter, ada: Person, flow: str) -> None:
    response = enter(ada).send("GET", "nonsense/")
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"
