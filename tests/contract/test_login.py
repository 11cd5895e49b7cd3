"""What does a login give, and what can it be tricked into? `POST login/`."""

import pytest

from accounts.client import FlowClient
from lab.differences import difference
from tests.contract.answers import (
    PROFILE,
    assert_credential,
    assert_logged_in,
    assert_refused,
    secret_of,
    set_cookies,
    steal,
)
from tests.contract.calls import CALLS
from tests.contract.people import Enter, Person, Visit

pytestmark = pytest.mark.strategies

LOGIN = next(call for call in CALLS if call.name == "login")
COSTLY = pytest.mark.inside("would use up the login attempts of the account")
JUNK = "junk.junk-junk-junk-junk-junk-junk-junk-junk-ju.junk"


@pytest.mark.quick
def test_login_answers_user_and_credential(guest: FlowClient, flow: str, ada: Person) -> None:
    response = LOGIN.send(guest, ada)
    assert response.status_code == 200
    answer = response.json()
    assert answer.keys() == {"user", "credential"}
    assert answer["user"].keys() == PROFILE
    assert answer["user"]["username"] == ada.username
    assert answer["user"]["last_login"]
    assert_credential(answer["credential"], flow)


@pytest.mark.quick
def test_a_login_opens_the_door(guest: FlowClient, ada: Person) -> None:
    assert_refused(guest.send("GET", "whoami/"), 401, "not_authenticated")
    guest.login(ada.username, ada.password)
    assert_logged_in(guest)


@pytest.mark.needs("cookie")
def test_every_login_is_a_device_of_its_own(enter: Enter, ada: Person) -> None:
    first, second = enter(ada), enter(ada)
    assert first.whoami()["device"] != second.whoami()["device"]
    assert secret_of(first) != secret_of(second)
    assert_logged_in(first)


@pytest.mark.needs("cookie")
def test_the_same_user_again_in_the_same_browser_is_a_new_device(enter: Enter, ada: Person) -> None:
    client = enter(ada)
    before, device = secret_of(client), client.whoami()["device"]
    client.login(ada.username, ada.password)
    assert client.whoami()["device"] != device
    assert secret_of(client) != before


@pytest.mark.needs("revocation")
@pytest.mark.quick
def test_the_login_it_replaces_is_ended(enter: Enter, guest: FlowClient, ada: Person) -> None:
    """Threat: Django keeps the id when the same user logs in again; a stolen one would live on."""
    client = enter(ada)
    replaced, stolen = client.whoami()["device"], steal(client, guest)
    client.login(ada.username, ada.password)
    assert replaced not in [device["id"] for device in client.devices()]
    assert_refused(stolen.send("POST", "refresh/"), 401, "credential_revoked")


@pytest.mark.needs("refresh")
def test_another_user_in_the_same_browser_takes_over_whole(
    enter: Enter, ada: Person, grace: Person
) -> None:
    client = enter(ada)
    client.login(grace.username, grace.password)
    assert client.me()["username"] == grace.username
    client.refresh()
    assert client.me()["username"] == grace.username


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"password": "not-the-password"}, id="password"),
        pytest.param({"username": "nobody-of-this-name"}, id="username"),
        pytest.param({"username": "' OR 1=1 --"}, id="SQL as username"),
        pytest.param({"password": " {password} "}, id="spaces around the password", marks=COSTLY),
        pytest.param({"password": "{PASSWORD}"}, id="upper case password", marks=COSTLY),
        pytest.param({"username": "pässwörd-名前-🐦"}, id="non-ASCII username"),
    ],
)
def test_a_wrong_login_is_refused(guest: FlowClient, ada: Person, wrong: dict[str, str]) -> None:
    texts = {"password": ada.password, "PASSWORD": ada.password.upper()}
    body = {"username": ada.username, "password": ada.password}
    body |= {name: value.format(**texts) for name, value in wrong.items()}
    response = guest.send("POST", "login/", body)
    assert_refused(response, 401, "bad_login")
    assert str(difference("cookie_name", guest.flow)) not in set_cookies(response)
    assert_refused(guest.send("GET", "whoami/"), 401, "not_authenticated")


def test_the_refusal_does_not_tell_whether_the_user_exists(guest: FlowClient, ada: Person) -> None:
    wrong = [
        guest.send("POST", "login/", {"username": name, "password": "not-the-password"})
        for name in (ada.username, "nobody-of-this-name")
    ]
    assert wrong[0].content == wrong[1].content
    assert wrong[0].headers.keys() == wrong[1].headers.keys()


@pytest.mark.needs("refresh")
def test_a_failed_login_leaves_the_login_before_it_alone(
    enter: Enter, ada: Person, grace: Person
) -> None:
    client = enter(ada)
    response = client.send("POST", "login/", {"username": grace.username, "password": "wrong!"})
    assert_refused(response, 401, "bad_login")
    assert client.me()["username"] == ada.username
    client.refresh()


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", f"Bearer {JUNK}", "Basic YWRhOng=", "Session 1", "\\", "Bearer a b"],
)
def test_login_ignores_what_stands_in_authorization(
    guest: FlowClient, ada: Person, authorization: str
) -> None:
    response = LOGIN.send(guest, ada, headers={"Authorization": authorization})
    assert response.status_code == 200
    assert_logged_in(guest)


@pytest.mark.parametrize("text", ["", "x", JUNK, '"', "1." + 43 * "A"])
@pytest.mark.needs("cookie")
def test_login_ignores_a_bad_cookie(guest: FlowClient, ada: Person, text: str) -> None:
    cookie = str(difference("cookie_name", guest.flow))
    csrf = guest.fetch_csrf_token()
    held = [f"{cookie.name}={cookie.value}" for cookie in guest.http.cookies.jar]
    header = "; ".join([*held, f"{cookie}={text}"])
    response = LOGIN.send(guest, ada, headers={"Cookie": header, "X-CSRFToken": csrf})
    assert response.status_code == 200
    assert_logged_in(guest)
    assert secret_of(guest) != text


def test_login_ignores_a_login_that_was_ended(enter: Enter, guest: FlowClient, ada: Person) -> None:
    client = enter(ada)
    ended = steal(client, guest)
    client.logout()
    ended.login(ada.username, ada.password)
    assert_logged_in(ended)


@pytest.mark.quick
def test_login_ignores_the_other_flow(
    enter: Enter,
    guest: FlowClient,
    ada: Person,
    mallory: Person,
    other_flow: str,
    visit: Visit,
) -> None:
    there = enter(mallory, other_flow)
    both = steal(there, guest)
    both.login(ada.username, ada.password)
    assert both.me()["username"] == ada.username
    there = steal(both, visit(other_flow))
    assert there.send("POST", "refresh/").status_code == 200
    assert there.me()["username"] == mallory.username


@pytest.mark.needs("cookie")
def test_a_secret_that_mallory_planted_is_not_adopted(
    enter: Enter, guest: FlowClient, ada: Person, mallory: Person
) -> None:
    """Threat: session fixation. Who planted the cookie must not share the login that follows."""
    planted = enter(mallory)
    victim = steal(planted, guest)
    victim.login(ada.username, ada.password)
    assert secret_of(victim) != secret_of(planted)
    assert victim.me()["username"] == ada.username
    answer = planted.send("GET", "me/")
    assert answer.status_code == 401 or answer.json()["username"] == mallory.username


def test_the_csrf_secret_changes_at_login(guest: FlowClient, ada: Person) -> None:
    """Threat: who planted the CSRF cookie before the login would know it after."""
    guest.fetch_csrf_token()
    name = next(cookie.name for cookie in guest.http.cookies.jar if "csrf" in cookie.name)
    before, known = guest.http.cookies[name], guest.csrf_token
    guest.login(ada.username, ada.password)
    assert guest.http.cookies[name] != before
    response = guest.send("POST", "logout/", headers={"X-CSRFToken": known})
    assert_refused(response, 403, "csrf_failed")
    assert_logged_in(guest)


@pytest.mark.inside("needs a user who may not log in")
def test_an_inactive_user_is_told_what_a_stranger_is_told(guest: FlowClient, ada: Person) -> None:
    from accounts.models import User

    User.objects.filter(username=ada.username).update(is_active=False)
    assert_refused(LOGIN.send(guest, ada), 401, "bad_login")
