"""Can another site act in a visitor's name? Not where the authority is a cookie.

R80, R81; A47 to A49.
"""

import pytest

from accounts.client import FlowClient
from lab.differences import difference
from tests.contract.answers import assert_logged_in, assert_refused, secret_of
from tests.contract.calls import UNSAFE, Call
from tests.contract.people import Enter, Person

pytestmark = [pytest.mark.strategies, pytest.mark.once]

FORGERIES = {
    "no token": {"X-CSRFToken": ""},
    "a made-up token": {"X-CSRFToken": "A" * 64},
    "a token of another length": {"X-CSRFToken": "A"},
    "a token of nobody's alphabet": {"X-CSRFToken": "-" * 64},
    "another site": {"Origin": "https://mallory.example"},
    "another port's scheme": {"Origin": "https://127.0.0.1"},
    "a sandbox": {"Origin": "null"},
}
BY_COOKIE = [call for call in UNSAFE if call.by_cookie]
BY_CREDENTIAL = [call for call in UNSAFE if not call.by_cookie]


@pytest.mark.parametrize("call", BY_COOKIE, ids=str)
@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.needs("cookie")
def test_a_call_by_cookie_needs_the_csrf_token(
    enter: Enter, ada: Person, call: Call, forgery: str
) -> None:
    client = enter(ada)
    client.fetch_csrf_token()
    secret = secret_of(client)
    response = call.send(client, ada, headers=FORGERIES[forgery])
    assert_refused(response, 403, "csrf_failed")
    assert secret_of(client) == secret
    assert_logged_in(client)


@pytest.mark.parametrize("call", BY_CREDENTIAL, ids=str)
@pytest.mark.parametrize("forgery", FORGERIES)
@pytest.mark.needs("cookie")
def test_other_unsafe_calls_need_it_where_the_credential_is_a_cookie(
    enter: Enter, ada: Person, flow: str, call: Call, forgery: str, new_password: str
) -> None:
    client = enter(ada)
    client.fetch_csrf_token()
    secret, device = secret_of(client), client.whoami()["device"]
    response = call.send(client, ada, device=device, headers=FORGERIES[forgery])
    refused = response.status_code == 403
    assert refused == difference("csrf_on_bearer_calls", flow)
    answered = {True: 403, False: call.success}[refused]
    assert response.status_code == answered
    # What was refused has changed nothing: the login goes on as it was.
    assert not refused or response.json()["code"] == "csrf_failed"
    assert not refused or (client.send("GET", "me/").is_success and secret_of(client) == secret)


@pytest.mark.quick
def test_login_is_checked_before_anything_is_tried(guest: FlowClient, ada: Person) -> None:
    """R81, A49: login CSRF. The victim works on in the attacker's account without knowing."""
    body = {"username": ada.username, "password": ada.password}
    response = guest.send("POST", "login/", body, headers={"X-CSRFToken": ""})
    assert_refused(response, 403, "csrf_failed")
    assert_refused(guest.send("GET", "whoami/"), 401, "not_authenticated")


def test_the_token_of_another_browser_is_refused(
    enter: Enter, guest: FlowClient, ada: Person
) -> None:
    client = enter(ada)
    client.fetch_csrf_token()
    headers = {"X-CSRFToken": guest.fetch_csrf_token()}
    assert_refused(client.send("POST", "logout/", headers=headers), 403, "csrf_failed")
    assert_logged_in(client)


def test_the_token_alone_is_refused(enter: Enter, guest: FlowClient, ada: Person) -> None:
    """Without the cookie that it belongs to, a token proves nothing."""
    client = enter(ada)
    headers = {"X-CSRFToken": client.fetch_csrf_token(), "Cookie": "nothing=here"}
    assert_refused(client.send("POST", "refresh/", headers=headers), 403, "csrf_failed")


@pytest.mark.needs("refresh")
def test_ones_own_origin_is_welcome(enter: Enter, ada: Person, site: str) -> None:
    client = enter(ada)
    response = client.send("POST", "refresh/", headers={"Origin": site.rstrip("/")})
    assert response.status_code == 200


def test_reading_needs_no_token(enter: Enter, ada: Person) -> None:
    client = enter(ada)
    for path in ("whoami/", "me/", "devices/"):
        response = client.send("GET", path, headers={"Origin": "https://mallory.example"})
        assert response.status_code == 200
        assert "access-control-allow-origin" not in response.headers
