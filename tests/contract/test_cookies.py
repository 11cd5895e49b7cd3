"""What does the browser hold, and who can read it? Cookies' attributes, and headers."""

import re
from http.cookies import Morsel

import pytest

from accounts.client import FlowClient
from lab.differences import difference
from tests.contract.answers import KNOWN_DEVICE, secret_of, set_cookies
from tests.contract.calls import CALLS, Call
from tests.contract.people import Enter, Person

pytestmark = [pytest.mark.strategies, pytest.mark.once]


def assert_host_cookie(cookie: Morsel[str]) -> None:
    """`__Host-`: browsers refuse such a cookie from anybody but this very host (RFC 6265bis)."""
    assert cookie.key.startswith("__Host-")
    assert cookie["path"] == "/"
    assert cookie["secure"]
    assert not cookie["domain"]


@pytest.mark.parametrize("path", ["login/", "refresh/", "password/"])
@pytest.mark.needs("cookie")
def test_the_secret_is_kept_from_scripts_and_other_sites(
    enter: Enter, flow: str, ada: Person, path: str, new_password: str
) -> None:
    body = {"username": ada.username, "password": ada.password}
    body |= {"current_password": ada.password, "new_password": new_password}
    client = enter(ada)
    cookie = set_cookies(client.send("POST", path, body))[str(difference("cookie_name", flow))]
    assert_host_cookie(cookie)
    assert cookie["httponly"]
    assert cookie["samesite"] == difference("cookie_samesite", flow)
    assert cookie.value == secret_of(client)
    assert int(cookie["max-age"]) > 0


@pytest.mark.parametrize("path", ["logout/", "logout-all/"])
@pytest.mark.needs("cookie")
def test_deletion_repeats_the_attributes(enter: Enter, flow: str, ada: Person, path: str) -> None:
    """Surprise: a browser ignores the deletion of a `__Host-` cookie that is not Secure."""
    response = enter(ada).send("POST", path)
    cookie = set_cookies(response)[str(difference("cookie_name", flow))]
    assert_host_cookie(cookie)
    assert cookie["samesite"] == difference("cookie_samesite", flow)
    assert (cookie.value, cookie["max-age"]) == ("", "0")


def test_the_csrf_cookie_is_kept_from_scripts(guest: FlowClient, ada: Person) -> None:
    response = guest.send("POST", "login/", {"username": ada.username, "password": ada.password})
    cookie = next(c for name, c in set_cookies(response).items() if "csrf" in name)
    assert_host_cookie(cookie)
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


@pytest.mark.quick
def test_a_login_sets_no_other_cookie(guest: FlowClient, flow: str, ada: Person) -> None:
    response = guest.send("POST", "login/", {"username": ada.username, "password": ada.password})
    names = {name for name in set_cookies(response) if "csrf" not in name}
    ours = {difference("cookie_name", flow), difference("token_cookie_name", flow)}
    assert names == {*filter(None, ours), KNOWN_DEVICE}


@pytest.mark.parametrize("call", [call for call in CALLS if call.method == "GET"], ids=str)
def test_reading_sets_no_cookie(enter: Enter, ada: Person, call: Call) -> None:
    assert call.send(enter(ada), ada).headers.get_list("set-cookie") == []


@pytest.mark.parametrize("call", CALLS, ids=str)
@pytest.mark.needs("cookie")
def test_no_answer_shows_a_secret(enter: Enter, ada: Person, call: Call, new_password: str) -> None:
    client = enter(ada)
    device, secrets = client.whoami()["device"], [secret_of(client), ada.password, new_password]
    response = call.send(client, ada, device=device)
    assert response.status_code == call.success
    held = [cookie.value or "" for cookie in client.http.cookies.jar]
    for secret in filter(None, [*secrets, *held]):
        assert secret not in response.text
    # A refresh token in a body would be one more token than the credential has.
    tokens = re.findall(r"[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}", response.text)
    assert tokens == [client.token] * len(tokens)
    assert len(tokens) <= 1


@pytest.mark.parametrize("call", CALLS, ids=str)
@pytest.mark.parametrize("logged_in", [True, False], ids=["logged in", "nobody"])
def test_no_answer_may_be_kept_by_a_cache(  # R84, A62
    enter: Enter, guest: FlowClient, ada: Person, call: Call, logged_in: bool, new_password: str
) -> None:
    client = {True: enter(ada), False: guest}[logged_in]
    response = call.send(client, ada, device="AAAAAAAAAAA")
    assert "no-store" in response.headers["cache-control"]
    assert "private" in response.headers["cache-control"]
    vary = {name.strip().lower() for name in response.headers["vary"].split(",")}
    assert {"cookie", "authorization"} <= vary


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_no_answer_is_taken_for_a_page(
    enter: Enter, ada: Person, call: Call, new_password: str
) -> None:
    headers = call.send(enter(ada), ada, device="AAAAAAAAAAA", headers={"X-CSRFToken": ""}).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]
