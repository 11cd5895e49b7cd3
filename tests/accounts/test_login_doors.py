"""Is a password tried in the same way at every door? Counted, bounded, and without telling more.

RACE_TRIALS=100 pytest tests/accounts/test_login_doors.py makes 200 guesses at once.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from itertools import cycle, islice
from time import sleep
from typing import Any
from urllib.parse import unquote

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as site_settings
from django.contrib.auth import aauthenticate
from django.db import connection
from django.test import Client
from django_redis import get_redis_connection
from django_redis.pool import ConnectionFactory
from pytest_django import Settings

from accounts.contract.errors import BadLogin, Throttled
from accounts.models import User
from accounts.throttling import claim_attempt, give_back_attempt
from lab.benchmark.costs import FRAMES
from tests.accounts import doors
from tests.accounts.doors import (
    ADMIN,
    API,
    DOORS,
    PAGES,
    STOCK_ADMIN,
    CountedHasher,
    Door,
    as_form,
    said,
)
from tests.accounts.people import make
from tests.accounts.racing import at_once, browser, log_in, post, trials

pytestmark = pytest.mark.django_db
AT_EVERY_DOOR = pytest.mark.parametrize("door", [*DOORS, STOCK_ADMIN], ids=str)
AT_EVERY_DOOR_OF_OURS = pytest.mark.parametrize("door", DOORS, ids=str)
LIMIT = 5


@pytest.fixture(autouse=True)
def hashed(settings: Settings) -> list[str]:
    """What was hashed, by a hasher that does its work; at the doors of the site and one more."""
    settings.ROOT_URLCONF = "tests.accounts.doors"
    settings.PASSWORD_HASHERS = ["tests.accounts.doors.CountedHasher"]
    doors.RUNS.clear()
    return doors.RUNS


@pytest.fixture
def patience(settings: Settings) -> Iterator[None]:
    """Have Redis waited for: 200 threads of one process are slow. (A server's process has 4.)"""
    changed = deepcopy(settings.CACHES)
    changed["auth"]["OPTIONS"].update(
        SOCKET_TIMEOUT=60,
        SOCKET_CONNECT_TIMEOUT=60,
        CONNECTION_POOL_KWARGS={"max_connections": 300},
    )
    settings.CACHES = changed
    url = changed["auth"]["LOCATION"]
    ConnectionFactory._pools.pop(url).disconnect()
    yield
    ConnectionFactory._pools.pop(url).disconnect()


@pytest.fixture
def victim(db: None, hashed: list[str]) -> User:
    user = make("ada", is_staff=True)
    hashed.clear()
    return user


def guess(door: Door, client: Client, username: str = "ada", **headers: str) -> Any:
    return door.send(client, username, "not-the-password", **headers)


def assert_asks_to_wait(response: Any) -> None:
    """429, with the seconds in a header for programs and in a sentence for people."""
    assert response.status_code == 429
    wait = int(response.headers["Retry-After"])
    assert 1 <= wait <= site_settings.LOGIN_LIMIT_SECONDS
    assert f"{wait} seconds" in response.content.decode()


def test_the_admin_has_no_door_of_its_own(client: Client, victim: User, hashed: list[str]) -> None:
    answer = client.get("/admin/", follow=True)
    assert unquote(answer.redirect_chain[-1][0]) == ADMIN.path
    form = as_form({"username": "ada", "password": "ada-demo-password"})
    answer = client.generic("POST", "/admin/login/", *form)
    assert (answer.status_code, hashed) == (302, [])


# --- how many guesses ---------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("patience")
def test_guesses_at_once_at_every_door_reach_the_hasher_no_more_often_than_the_limit(
    victim: User, hashed: list[str], settings: Settings
) -> None:
    """R89, R90, A56, A58: the doors of a house share one limit, and haste does not pass it."""
    settings.LOGIN_LIMIT_ACCOUNT, settings.LOGIN_LIMIT_NETWORK = LIMIT, 10_000
    answers = at_all_doors_at_once(lambda number: {})
    assert hashed == ["not-the-password"] * LIMIT
    assert_all_others_wait(answers, LIMIT)


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize(
    ("proxies", "sent", "reach_the_hasher"),
    [
        pytest.param(0, "203.0.113.{}", LIMIT, id="no proxy, all made up"),
        pytest.param(1, "203.0.113.{}, 198.51.100.7", LIMIT, id="a proxy, made up before it"),
        pytest.param(1, "198.51.100.7, 203.0.113.{}", None, id="a proxy, many clients"),
    ],
)
def test_guesses_at_once_at_many_accounts_from_one_network(
    victim: User,
    hashed: list[str],
    settings: Settings,
    proxies: int,
    sent: str,
    reach_the_hasher: int | None,
) -> None:
    """R89, A57: a header that the client can write itself buys nothing; the last row can fail."""
    settings.LOGIN_LIMIT_ACCOUNT, settings.LOGIN_LIMIT_NETWORK = 10_000, LIMIT
    settings.TRUSTED_PROXIES = proxies
    answers = at_all_doors_at_once(
        lambda number: {
            "username": f"nobody-{number}",
            "X-Forwarded-For": sent.format(number),
        }
    )
    reached = reach_the_hasher or len(answers)
    assert len(hashed) == reached
    assert_all_others_wait(answers, reached)


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(3600)
@pytest.mark.usefixtures("patience")
def test_guesses_at_once_with_copies_of_one_known_device(
    victim: User, hashed: list[str], settings: Settings
) -> None:
    client = browser()
    log_in(client, "jwt")
    name = settings.KNOWN_DEVICE_COOKIE_NAME
    hashed.clear()
    settings.LOGIN_LIMIT_ACCOUNT = LIMIT
    answers = at_all_doors_at_once(lambda number: {}, **{name: client.cookies[name].value})
    assert len(hashed) == LIMIT
    assert_all_others_wait(answers, LIMIT)


def at_all_doors_at_once(
    how: Callable[[int], dict[str, str]], **cookies: str
) -> list[tuple[Door, Any]]:
    """Guess at every door in turn, all at the same moment."""
    number = trials(24, full=200)
    chosen = list(islice(cycle((*DOORS, STOCK_ADMIN)), number))
    calls = [
        partial(guess, door, browser(**cookies), **how(number))
        for number, door in enumerate(chosen)
    ]
    return list(zip(chosen, at_once(calls), strict=True))


def assert_all_others_wait(answers: list[tuple[Door, Any]], admitted: int) -> None:
    refused = [response for door, response in answers if response.status_code != door.refusal]
    assert len(refused) == len(answers) - admitted
    for response in refused:
        assert_asks_to_wait(response)


@AT_EVERY_DOOR
def test_over_the_limit_nothing_is_hashed_and_the_answer_says_how_long_to_wait(
    victim: User, hashed: list[str], settings: Settings, door: Door
) -> None:
    settings.LOGIN_LIMIT_ACCOUNT = 1
    assert guess(door, browser()).status_code == door.refusal
    assert len(hashed) == 1
    assert_asks_to_wait(door.send(browser(), "ada", "ada-demo-password"))
    assert len(hashed) == 1


@pytest.mark.parametrize("flow", [door.path.split("/")[2] for door in API])
def test_over_the_limit_a_password_change_says_how_long_to_wait(
    victim: User, hashed: list[str], settings: Settings, flow: str
) -> None:
    client = browser()
    token = log_in(client, flow)["credential"]["token"]
    headers = {"Authorization": f"Bearer {token}"}
    hashed.clear()
    settings.LOGIN_LIMIT_ACCOUNT = 0
    body = {"current_password": "ada-demo-password", "new_password": "seven-swallows"}
    for accept in ("application/json", "text/html"):
        path = f"/api/{flow}/password/"
        assert_asks_to_wait(post(client, path, body, Accept=accept, **headers))
    assert_asks_to_wait(client.post(f"/{flow}/profile/", body, headers=headers))
    assert hashed == []


def test_the_asynchronous_way_in_is_counted_as_well(
    victim: User, hashed: list[str], settings: Settings
) -> None:
    """Surprise: Django's backend has a second `authenticate` for it, which calls not the first."""
    settings.LOGIN_LIMIT_ACCOUNT = 1
    ask = async_to_sync(aauthenticate)
    assert ask(None, username="ada", password="not-the-password") is None
    with pytest.raises(Throttled):
        ask(None, username="ada", password="ada-demo-password")
    assert len(hashed) == 1


@pytest.mark.once
def test_what_is_given_back_after_its_window_is_no_attempt_more_in_the_next(
    settings: Settings,
) -> None:
    """Threat: right logins held until the window ends, for as many guesses more in the next."""
    settings.LOGIN_LIMIT_ACCOUNT, settings.LOGIN_LIMIT_SECONDS = LIMIT, 1
    held = [claim_attempt(None, "ada") for _ in range(LIMIT)]
    sleep(1.1)
    settings.LOGIN_LIMIT_SECONDS = 300
    claim_attempt(None, "ada")
    for claims in held:
        give_back_attempt(claims)
    for _ in range(LIMIT - 1):
        claim_attempt(None, "ada")
    with pytest.raises(Throttled):
        claim_attempt(None, "ada")


# --- who has an account? ------------------------------------------------------------------------

# Names of one length, so that also the lengths of answers can be compared.
PEOPLE: dict[str, tuple[str, str]] = {
    "wrong password": ("ada-1", "not-the-password"),
    "unknown": ("ada-2", "not-the-password"),
    "inactive": ("ada-3", "not-the-password"),
    "inactive, right password": ("ada-3", "ada-3-demo-password"),
    "unusable password": ("ada-4", "not-the-password"),
    "no password at all": ("ada-5", "not-the-password"),
    "a hash that nobody can read": ("ada-6", "not-the-password"),
    "an outdated hash": ("ada-7", "not-the-password"),
    "inactive, an outdated hash, right password": ("ada-8", "ada-8-demo-password"),
    "unknown, in another case": ("ADA-1", "not-the-password"),
}


@pytest.fixture
def people(db: None, hashed: list[str]) -> None:
    make("ada-1")
    make("ada-3", is_active=False)
    for name, encoded in {
        "ada-4": "!" + "x" * 40,
        "ada-5": "",
        "ada-6": "unknown$1$2",
        "ada-7": CountedHasher().encode("ada-7-demo-password", "short"),
        "ada-8": CountedHasher().encode("ada-8-demo-password", "short"),
    }.items():
        make(name, is_active=name != "ada-8")
        User.objects.filter(username=name).update(password=encoded)
    hashed.clear()


@contextmanager
def worked(hashed: list[str]) -> Iterator[dict[str, Any]]:
    """Fill in what was done meanwhile: passwords hashed, SQL statements, Redis commands."""
    statements: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        if not sql.startswith(FRAMES):
            statements.append(sql)
        return execute(sql, *rest)

    work: dict[str, Any] = {}
    redis = get_redis_connection("auth")
    hashed.clear()
    redis.config_resetstat()
    with connection.execute_wrapper(note):
        yield work
    commands = redis.info("commandstats")
    calls = {name: stat["calls"] for name, stat in commands.items() if "config" not in name}
    work.update(hashed=len(hashed), sql=statements, redis=calls)


def told_and_worked(door: Door, who: str, hashed: list[str]) -> tuple[Any, dict[str, Any]]:
    username, password = PEOPLE[who]
    client = browser()
    with worked(hashed) as work:
        response = door.send(client, username, password)
    return said(response, username), work


@pytest.mark.once
@AT_EVERY_DOOR_OF_OURS
def test_nobody_learns_who_has_an_account(people: None, hashed: list[str], door: Door) -> None:
    """R91, A60: the same answer, and the same work for it, so that time tells nothing either.

    `make login-times` measures the time.
    """
    expected, expected_work = told_and_worked(door, "wrong password", hashed)
    assert (expected[0], expected_work["hashed"]) == (door.refusal, 1)
    assert BadLogin.default_detail in expected[1]
    for who in PEOPLE:
        told, work = told_and_worked(door, who, hashed)
        assert told == expected, who
        assert work == expected_work, who


@pytest.mark.once
@AT_EVERY_DOOR_OF_OURS
def test_nobody_learns_it_from_being_refused(
    people: None, hashed: list[str], settings: Settings, door: Door
) -> None:
    """Neither from the first refusal of a window, which is written down, nor from those after."""
    settings.LOGIN_LIMIT_ACCOUNT = 0
    answers = {}
    for who in PEOPLE:
        get_redis_connection("auth").flushdb()
        answers[who] = [told_and_worked(door, who, hashed) for _ in range(2)]
    first, later = answers["wrong password"]
    assert (first[0][0], first[1]["hashed"], len(first[1]["sql"])) == (429, 0, 1)
    assert (later[0][0], later[1]["hashed"], later[1]["sql"]) == (429, 0, [])
    assert answers == {who: [first, later] for who in PEOPLE}


# --- what is no username and no password --------------------------------------------------------

MEGABYTE = 1_000_000
FIELDS: dict[str, Any] = {
    "a megabyte": "x" * MEGABYTE,
    "10 kB": "x" * 10_000,
    "one character too many": "x" * 1025,
    "a NUL": "a\0b",
    "empty": "",
}
JSON_ONLY: dict[str, Any] = {
    "null": None,
    "true": True,
    "a number": 17,
    "a huge number": 10**400,
    "a list": ["ada"],
    "an object": {"$ne": ""},
    "a lone surrogate": "\ud800",
    "a megabyte of lists": [["x"]] * (MEGABYTE // 7),
}


@pytest.mark.parametrize("field", ["username", "password"])
@AT_EVERY_DOOR_OF_OURS
def test_what_cannot_be_right_is_refused_before_it_is_hashed(
    victim: User, hashed: list[str], door: Door, field: str
) -> None:
    """A61: 4xx, or the form again with what is wrong; no attempt is counted."""
    values = FIELDS if door.encode is as_form else FIELDS | JSON_ONLY
    for name, value in values.items():
        fields = {"username": "ada", "password": "ada-demo-password", field: value}
        assert_not_tried(door.send(browser(), **fields), door, hashed, name)


def assert_not_tried(response: Any, door: Door, hashed: list[str], what: str) -> None:
    shown_again = response.status_code == 200 and door.refusal == 200
    assert shown_again or response.status_code in (400, 413), (what, response.status_code)
    assert BadLogin.default_detail not in response.content.decode(), what
    assert site_settings.KNOWN_DEVICE_COOKIE_NAME not in response.cookies, "nobody is logged in"
    assert hashed == [], what
    assert get_redis_connection("auth").keys("login-limit:*") == [], what


def part(name: str, value: bytes, more: str = "") -> bytes:
    head = f'--X\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + value + b"\r\n"


MULTIPART = "multipart/form-data; boundary=X"
FORM = "application/x-www-form-urlencoded"
NAME, END = part("username", b"ada"), b"--X--\r\n"
BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", FORM),
    "no password": (b"username=ada", FORM),
    "a password of another name": (b"username=ada&password[]=ada-demo-password", FORM),
    "a megabyte of another field": (b"username=ada&x=" + b"x" * MEGABYTE, FORM),
    "two thousand fields": (b"username=ada&" + b"&".join([b"x=1"] * 2000), FORM),
    "not UTF-8": (b"username=ada&password=%00%ff%fe", FORM),
    "another charset": (b"username=ada&password=x", f"{FORM}; charset=utf-16"),
    "JSON": (b'{"username": "ada", "password": "ada-demo-password"}', "application/json"),
    "text": (b"username=ada&password=ada-demo-password", "text/plain"),
    "a file for a password": (NAME + part("password", b"x", '; filename="x"') + END, MULTIPART),
    "a megabyte of a file": (
        NAME + part("password", b"x" * MEGABYTE, '; filename="x"') + END,
        MULTIPART,
    ),
    "a megabyte in a part": (NAME + part("password", b"x" * MEGABYTE) + END, MULTIPART),
    "half of a multipart": (NAME + b"--X\r\nContent-Dis", MULTIPART),
    "a multipart without a boundary": (NAME + END, "multipart/form-data"),
}


@pytest.mark.once
@pytest.mark.parametrize("door", [*PAGES, ADMIN], ids=str)
def test_what_is_no_form_is_refused_before_it_is_hashed(
    victim: User, hashed: list[str], door: Door
) -> None:
    for name, (body, content_type) in BODIES.items():
        response = door.send_body(browser(), body, content_type)
        assert_not_tried(response, door, hashed, name)


@pytest.mark.once
def test_what_is_no_form_does_not_break_the_csrf_check(
    victim: User, hashed: list[str], settings: Settings
) -> None:
    """Surprise: the check reads the form before any view, and before Django's own 400 page."""
    settings.ROOT_URLCONF = "authdemo.urls"
    for name, (body, content_type) in BODIES.items():
        client = Client(enforce_csrf_checks=True, raise_request_exception=False)
        client.get(ADMIN.path)
        response = ADMIN.send_body(client, body, content_type)
        assert response.status_code in (400, 403), name
    assert hashed == []


@AT_EVERY_DOOR_OF_OURS
def test_a_long_password_is_hashed_once(victim: User, hashed: list[str], door: Door) -> None:
    assert door.send(browser(), "ada", "x" * 1024).status_code == door.refusal
    assert hashed == ["x" * 1024]


@AT_EVERY_DOOR_OF_OURS
def test_no_password_is_tried_for_another_site(victim: User, hashed: list[str], door: Door) -> None:
    """R81, A49: login CSRF."""
    client = Client(enforce_csrf_checks=True)
    client.get(ADMIN.path)
    response = door.send(client, "ada", "ada-demo-password")
    assert (response.status_code, hashed) == (403, [])
    assert get_redis_connection("auth").keys("login-limit:*") == []


# --- from where was somebody logged in before? --------------------------------------------------


@AT_EVERY_DOOR_OF_OURS
def test_a_login_makes_the_browser_known_at_every_door(
    victim: User, settings: Settings, door: Door
) -> None:
    """R90, A59: and from then on nobody who uses up the attempts locks its user out."""
    client = browser()
    door.send(client, "ada", "ada-demo-password")
    settings.LOGIN_LIMIT_ACCOUNT = LIMIT
    for _ in range(LIMIT):
        guess(door, browser())
    cookie = client.cookies[settings.KNOWN_DEVICE_COOKIE_NAME]
    assert (cookie["samesite"], cookie["httponly"], cookie["secure"]) == ("Strict", True, True)
    for other in DOORS:
        assert door.send(browser(), "ada", "ada-demo-password").status_code == 429
        known = browser(**{settings.KNOWN_DEVICE_COOKIE_NAME: cookie.value})
        assert other.send(known, "ada", "ada-demo-password").status_code in (200, 302)
        assert known.cookies[settings.KNOWN_DEVICE_COOKIE_NAME].value != cookie.value
