"""Can a user be locked out by somebody who uses up the login attempts?

Not from a browser that the user has logged in from: its attempts are counted apart. (R90, A59)
"""

import re
from collections.abc import Callable

import pytest
from django_redis import get_redis_connection
from pytest_django import Settings

from accounts.client import FlowClient
from accounts.throttling import KNOWN_DEVICES_AT_ONCE
from tests.contract.answers import (
    KNOWN_DEVICE,
    assert_logged_in,
    assert_refused,
    cookie_of,
    set_cookies,
)
from tests.contract.clock import Clock
from tests.contract.people import Enter, Person, Visit
from tests.contract.test_cookies import assert_host_cookie

pytestmark = pytest.mark.once  # the database has no part in it
INSIDE = pytest.mark.inside("changes settings")
LIMIT = 3

Known = Callable[[Person], FlowClient]


@pytest.fixture
def limit(settings: Settings) -> int:
    settings.LOGIN_LIMIT_ACCOUNT = LIMIT
    return LIMIT


@pytest.fixture
def known(enter: Enter, visit: Visit, flow: str) -> Known:
    """A browser that knows nothing but that this person once logged in from it."""

    def known(person: Person) -> FlowClient:
        return with_cookie(visit(flow), cookie_of(enter(person), KNOWN_DEVICE))

    return known


def with_cookie(client: FlowClient, text: str) -> FlowClient:
    client.http.cookies.set(KNOWN_DEVICE, text, domain="127.0.0.1")
    for cookie in client.http.cookies.jar:
        cookie.secure = True
    return client


def log_in(client: FlowClient, person: Person, password: str = "") -> int:
    body = {"username": person.username, "password": password or person.password}
    client.csrf_token = None  # a login before this one has changed the secret
    return client.send("POST", "login/", body).status_code


def guesses(client: FlowClient, person: Person, number: int) -> list[int]:
    return [log_in(client, person, "not-the-password") for _ in range(number)]


def counters() -> dict[str, int]:
    """How many attempts each kind of counter has seen, all its counters together."""
    redis = get_redis_connection("auth")
    found: dict[str, int] = {}
    for key in redis.keys("login-limit:*"):
        kind = key.decode().split(":")[1]
        found[kind] = found.get(kind, 0) + int(redis.get(key))
    return {kind: count for kind, count in found.items() if count}


# --- what a known device is for ---------------------------------------------------------------


@INSIDE
def test_who_uses_up_the_attempts_locks_out_strangers_only(
    known: Known, visit: Visit, guest: FlowClient, other_flow: str, ada: Person, limit: int
) -> None:
    browser, elsewhere = known(ada), known(ada)
    elsewhere.flow = other_flow
    assert guesses(guest, ada, limit + 1) == [401] * limit + [429]
    assert log_in(visit(browser.flow), ada) == 429
    # The cookie is one for both flows.
    assert [log_in(browser, ada), log_in(elsewhere, ada)] == [200, 200]


@INSIDE
def test_a_whole_network_that_may_try_no_more_locks_out_strangers_only(
    known: Known, visit: Visit, guest: FlowClient, ada: Person, mallory: Person, settings: Settings
) -> None:
    """Threat: ada's office shares one address; mallory guesses from there until it is refused."""
    browser = known(ada)
    settings.LOGIN_LIMIT_NETWORK = LIMIT
    assert guesses(guest, mallory, LIMIT + 1) == [401] * LIMIT + [429]
    assert log_in(visit(browser.flow), ada) == 429
    assert log_in(browser, ada) == 200


@INSIDE
def test_a_known_device_has_as_many_attempts_as_an_account_and_touches_no_other(
    known: Known, guest: FlowClient, ada: Person, limit: int
) -> None:
    browser = known(ada)
    assert guesses(browser, ada, limit + 2) == [401] * limit + [429] * 2
    assert counters() == {"device": limit + 2, "devices": limit}
    assert log_in(browser, ada) == 429
    assert guesses(guest, ada, 1) == [401]
    assert log_in(guest, ada) == 200


@pytest.mark.inside("moves the clock")
def test_a_known_device_that_may_try_no_more_may_again_after_the_wait(
    known: Known, ada: Person, limit: int, clock: Clock
) -> None:
    browser = known(ada)
    guesses(browser, ada, limit)
    body = {"username": ada.username, "password": ada.password}
    refused = browser.send("POST", "login/", body)
    assert_refused(refused, 429, "throttled")
    clock.advance(int(refused.headers["retry-after"]))
    assert log_in(browser, ada) == 200


@INSIDE
def test_a_right_password_gives_the_attempt_back_to_a_known_device(
    known: Known, ada: Person, limit: int
) -> None:
    browser = known(ada)
    text = cookie_of(browser, KNOWN_DEVICE)
    for _ in range(limit + 1):
        assert log_in(with_cookie(browser, text), ada) == 200
    assert counters() == {}


@INSIDE
def test_the_current_password_is_guessed_on_the_account_of_the_known_device(
    enter: Enter, visit: Visit, ada: Person, limit: int
) -> None:
    client = enter(ada)
    guesses(visit(client.flow), ada, limit)
    body = {"current_password": "not-the-password", "new_password": "seven-swallows"}
    answers = [client.send("POST", "password/", body).status_code for _ in range(limit + 1)]
    assert answers == [400] * limit + [429]


# --- what a copy is good for ------------------------------------------------------------------


@INSIDE
def test_a_copied_cookie_gives_no_more_than_its_own_attempts(
    known: Known, visit: Visit, ada: Person, limit: int
) -> None:
    original = known(ada)
    copies = [
        with_cookie(visit(original.flow), cookie_of(original, KNOWN_DEVICE)) for _ in range(4)
    ]
    answers = [answer for copy in copies for answer in guesses(copy, ada, limit)]
    assert answers == [401] * limit + [429] * limit * 3


@INSIDE
def test_the_next_login_parts_the_owner_from_the_thief(
    known: Known, visit: Visit, ada: Person, limit: int
) -> None:
    owner = known(ada)
    thief = with_cookie(visit(owner.flow), cookie_of(owner, KNOWN_DEVICE))
    assert log_in(owner, ada) == 200
    guesses(thief, ada, limit + 1)
    assert log_in(owner, ada) == 200


@INSIDE
def test_one_copied_cookie_does_not_use_up_the_attempts_of_all_known_devices(
    known: Known, visit: Visit, ada: Person, settings: Settings
) -> None:
    """Threat: what is refused at the first counter must not go on moving the second."""
    settings.LOGIN_LIMIT_ACCOUNT = 1
    stolen, other = known(ada), known(ada)
    guesses(stolen, ada, 2 * KNOWN_DEVICES_AT_ONCE)
    guesses(visit(other.flow), ada, 2)
    assert log_in(other, ada) == 200


@INSIDE
def test_a_thousand_collected_cookies_are_not_a_thousand_budgets(
    known: Known, ada: Person, settings: Settings
) -> None:
    """Threat: who once had the password kept a cookie of each of many logins, and guesses on."""
    collected = [known(ada) for _ in range(KNOWN_DEVICES_AT_ONCE + 2)]
    settings.LOGIN_LIMIT_ACCOUNT = 1
    answers = [answer for client in collected for answer in guesses(client, ada, 1)]
    assert answers == [401] * KNOWN_DEVICES_AT_ONCE + [429] * 2


@INSIDE
def test_refused_attempts_of_one_network_use_up_no_account(
    guest: FlowClient, visit: Visit, flow: str, ada: Person, mallory: Person, settings: Settings
) -> None:
    settings.LOGIN_LIMIT_ACCOUNT = settings.LOGIN_LIMIT_NETWORK = LIMIT
    guesses(guest, mallory, LIMIT)
    assert guesses(guest, ada, LIMIT + 1) == [429] * (LIMIT + 1)
    settings.LOGIN_LIMIT_NETWORK = 100
    assert log_in(visit(flow), ada) == 200


# --- which cookies count for nothing ----------------------------------------------------------


@INSIDE
def test_a_forged_cookie_counts_for_nothing(
    known: Known, guest: FlowClient, ada: Person, limit: int
) -> None:
    """Every way to forge one stands in `tests/accounts/test_known_devices.py`."""
    text = cookie_of(known(ada), KNOWN_DEVICE)
    forger = with_cookie(guest, ("A" if text[0] != "A" else "B") + text[1:])
    assert guesses(forger, ada, limit + 1) == [401] * limit + [429]
    assert counters().keys() == {"account", "network"}


def csrf_cookie(client: FlowClient) -> str:
    client.fetch_csrf_token()
    return next(f"{c.name}={c.value}" for c in client.http.cookies.jar if "csrf" in c.name)


@pytest.mark.inside("moves the clock")
def test_a_browser_that_was_not_used_for_half_a_year_is_a_stranger(
    known: Known, guest: FlowClient, ada: Person, limit: int, settings: Settings, clock: Clock
) -> None:
    browser = known(ada)
    text = cookie_of(browser, KNOWN_DEVICE)
    clock.advance(settings.KNOWN_DEVICE_SECONDS - 5)
    guesses(guest, ada, limit)
    assert log_in(with_cookie(browser, text), ada) == 200
    clock.advance(10)
    guesses(guest, ada, limit)
    assert log_in(with_cookie(browser, text), ada) == 429


@INSIDE
def test_the_cookie_of_one_account_is_nothing_to_another(
    known: Known, ada: Person, grace: Person, limit: int
) -> None:
    assert guesses(known(ada), grace, limit + 1) == [401] * limit + [429]
    assert counters().keys() == {"account", "network"}


@INSIDE
def test_a_new_secret_key_forgets_nobody_while_the_old_one_is_kept(
    known: Known, guest: FlowClient, ada: Person, limit: int, settings: Settings
) -> None:
    browser = known(ada)
    guesses(guest, ada, limit)
    settings.SECRET_KEY, former = "x" * 50, settings.SECRET_KEY
    assert log_in(browser, ada) == 429
    settings.SECRET_KEY_FALLBACKS = [former]
    assert log_in(browser, ada) == 200


# --- what the cookie is -----------------------------------------------------------------------


def test_the_cookie_is_kept_from_scripts_and_other_sites(
    guest: FlowClient, ada: Person, site: str
) -> None:
    body = {"username": ada.username, "password": ada.password}
    cookie = set_cookies(guest.send("POST", "login/", body))[KNOWN_DEVICE]
    assert_host_cookie(cookie)
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert int(cookie["max-age"]) > 0
    assert re.fullmatch(r"[\w-]{22}:\w{6}:[\w-]{43}", cookie.value), "a number, a time, a MAC"


def test_every_login_renews_it_with_another_number(enter: Enter, ada: Person) -> None:
    client = enter(ada)
    before = cookie_of(client, KNOWN_DEVICE)
    client.login(ada.username, ada.password)
    after = cookie_of(client, KNOWN_DEVICE)
    assert before.partition(":")[0] != after.partition(":")[0]


def test_a_failed_login_neither_sets_nor_deletes_it(
    enter: Enter, guest: FlowClient, ada: Person
) -> None:
    body = {"username": ada.username, "password": "not-the-password"}
    for client in (guest, enter(ada)):
        assert KNOWN_DEVICE not in set_cookies(client.send("POST", "login/", body))


@pytest.mark.parametrize("path", ["logout/", "logout-all/", "password/", "refresh/"])
def test_only_a_login_touches_it(enter: Enter, ada: Person, path: str, new_password: str) -> None:
    client = enter(ada)
    before = cookie_of(client, KNOWN_DEVICE)
    body = {"current_password": ada.password, "new_password": new_password}
    response = client.send("POST", path, body)
    assert response.is_success
    assert KNOWN_DEVICE not in set_cookies(response)
    assert cookie_of(client, KNOWN_DEVICE) == before


@INSIDE
@pytest.mark.parametrize("path", ["logout/", "logout-all/", "password/"])
def test_the_browser_stays_known_after(
    enter: Enter, guest: FlowClient, ada: Person, path: str, new_password: str, limit: int
) -> None:
    client = enter(ada)
    body = {"current_password": ada.password, "new_password": new_password}
    assert client.send("POST", path, body).is_success
    guesses(guest, ada, limit + 1)
    assert {log_in(client, ada), log_in(client, ada, new_password)} == {200, 401}


@pytest.mark.parametrize("method", ["GET whoami/", "GET me/", "GET devices/", "POST refresh/"])
def test_it_opens_nothing(
    enter: Enter, guest: FlowClient, ada: Person, method: str, site: str
) -> None:
    """It is a place in the queue, and never a login."""
    for cookie in enter(ada).http.cookies.jar:
        if cookie.name == KNOWN_DEVICE:
            guest.http.cookies.jar.set_cookie(cookie)
    assert_refused(guest.send(*method.split()), 401, "not_authenticated")


def test_it_opens_nothing_as_the_secret_of_a_flow_either(
    enter: Enter, guest: FlowClient, flow: str, ada: Person
) -> None:
    text = cookie_of(enter(ada), KNOWN_DEVICE)
    headers = {"Authorization": f"Bearer {text}"}
    assert guest.send("GET", "whoami/", headers=headers).status_code == 401
    headers = {"Cookie": f"__Host-sessionid={text}; __Host-refresh={text}; {csrf_cookie(guest)}"}
    assert_refused(guest.send("POST", "refresh/", headers=headers), 401, "credential_invalid")


@INSIDE
def test_redis_is_told_neither_the_number_nor_the_name(
    known: Known, guest: FlowClient, ada: Person
) -> None:
    browser = known(ada)
    number = cookie_of(browser, KNOWN_DEVICE).partition(":")[0]
    guesses(browser, ada, 1)
    guesses(guest, ada, 1)
    keys = get_redis_connection("auth").keys("login-limit:*")
    assert len(keys) == 4
    for key in keys:
        assert number not in key.decode()
        assert re.search(rf"\b{re.escape(ada.username)}\b", key.decode()) is None


def test_a_known_device_logs_in_as_before(enter: Enter, ada: Person) -> None:
    client = enter(ada)
    client.logout()
    client.login(ada.username, ada.password)
    assert_logged_in(client)
