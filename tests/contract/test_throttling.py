"""How many passwords can be tried? A limit that neither haste nor hopping gets around."""

import threading
from concurrent.futures import ThreadPoolExecutor
from secrets import token_hex

import pytest
from django.db import connection
from pytest_django import Settings

from accounts.client import FlowClient
from accounts.models import User
from tests.contract.answers import assert_logged_in, assert_refused
from tests.contract.clock import Clock
from tests.contract.people import Enter, Person, Visit

pytestmark = pytest.mark.once

LIMIT = 3
MOST_TRIES = 30


@pytest.fixture
def limit(settings: Settings) -> int:
    """The limit of wrong logins to one account."""
    settings.LOGIN_LIMIT_ACCOUNT = LIMIT
    return LIMIT


def guess(client: FlowClient, username: str, **headers: str) -> int:
    body = {"username": username, "password": "not-the-password"}
    return client.send("POST", "login/", body, headers=headers).status_code


def test_guessing_comes_to_an_end_in_both_flows(visit: Visit, flow: str, other_flow: str) -> None:
    """Also for a name that nobody has: a limit for users only would tell who is one."""
    nobody, client = f"nobody-{token_hex(8)}", visit(flow)
    answers = [guess(client, nobody)]
    while answers[-1] == 401 and len(answers) < MOST_TRIES:
        answers.append(guess(client, nobody))
    assert set(answers[:-1]) == {401}
    body = {"username": nobody, "password": "x"}
    for key in (flow, other_flow):
        assert_refused(visit(key).send("POST", "login/", body), 429, "throttled")


@pytest.mark.inside("changes settings")
def test_exactly_the_limit_may_be_tried(guest: FlowClient, ada: Person, limit: int) -> None:
    answers = [guess(guest, ada.username) for _ in range(limit + 2)]
    assert answers == [401] * limit + [429] * 2


@pytest.mark.inside("changes settings")
def test_over_the_limit_the_right_password_is_not_looked_at(
    guest: FlowClient, ada: Person, limit: int
) -> None:
    for _ in range(limit):
        guess(guest, ada.username)
    body = {"username": ada.username, "password": ada.password}
    assert_refused(guest.send("POST", "login/", body), 429, "throttled")


@pytest.mark.inside("changes settings")
def test_hopping_between_the_flows_buys_nothing(
    visit: Visit, ada: Person, flow: str, other_flow: str, limit: int
) -> None:
    clients = [visit(flow), visit(other_flow)]
    answers = [guess(clients[turn % 2], ada.username) for turn in range(limit + 2)]
    assert answers == [401] * limit + [429] * 2


@pytest.mark.inside("changes settings")
@pytest.mark.parametrize("spelling", ["{} ", " {}", "ADA", "Ada"])
def test_another_spelling_of_the_name_buys_nothing(
    guest: FlowClient, ada: Person, limit: int, spelling: str
) -> None:
    for _ in range(limit):
        guess(guest, ada.username)
    assert guess(guest, spelling.format(ada.username)) == 429


@pytest.mark.inside("changes settings")
@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP", "X-Client-IP"]
)
def test_a_new_made_up_address_each_time_buys_nothing(
    guest: FlowClient, ada: Person, settings: Settings, header: str
) -> None:
    """Threat: 40 of 40 guesses passed DRF's throttle with a fresh X-Forwarded-For each."""
    settings.LOGIN_LIMIT_NETWORK = LIMIT
    answers = [
        guess(guest, f"nobody-{turn}", **{header: f"203.0.113.{turn}"}) for turn in range(LIMIT + 2)
    ]
    assert answers == [401] * LIMIT + [429] * 2


@pytest.mark.inside("changes settings")
def test_a_right_password_gives_its_attempt_back(
    visit: Visit, flow: str, ada: Person, limit: int
) -> None:
    for _ in range(limit - 1):
        guess(visit(flow), ada.username)
    for _ in range(2 * limit):
        visit(flow).login(ada.username, ada.password)
    assert guess(visit(flow), ada.username) == 401
    assert guess(visit(flow), ada.username) == 429


@pytest.mark.inside("changes settings")
def test_a_right_password_does_not_pardon_the_wrong_ones(
    visit: Visit, flow: str, ada: Person, mallory: Person, limit: int, settings: Settings
) -> None:
    """Threat: mallory logs in as herself between guesses, to set the network's count to nought."""
    settings.LOGIN_LIMIT_NETWORK = LIMIT
    answers = []
    for _ in range(LIMIT - 1):
        answers.append(guess(visit(flow), ada.username))
        visit(flow).login(mallory.username, mallory.password)
    answers += [guess(visit(flow), ada.username) for _ in range(2)]
    assert answers == [401] * LIMIT + [429]


@pytest.mark.inside("moves the clock")
def test_the_wait_is_what_retry_after_says(
    guest: FlowClient, ada: Person, limit: int, clock: Clock
) -> None:
    for _ in range(limit):
        guess(guest, ada.username)
    body = {"username": ada.username, "password": ada.password}
    refused = guest.send("POST", "login/", body)
    assert_refused(refused, 429, "throttled")
    clock.advance(int(refused.headers["retry-after"]))
    guest.login(ada.username, ada.password)
    assert_logged_in(guest)


@pytest.mark.inside("moves the clock")
def test_trying_on_does_not_make_the_wait_longer(
    guest: FlowClient, ada: Person, limit: int, clock: Clock
) -> None:
    """R90: an account is locked for one window, however eagerly somebody goes on."""
    for _ in range(limit):
        guess(guest, ada.username)
    body = {"username": ada.username, "password": ada.password}
    left = int(guest.send("POST", "login/", body).headers["retry-after"])
    while left > 60:
        clock.advance(60)
        waits = [int(guest.send("POST", "login/", body).headers["retry-after"]) for _ in range(4)]
        assert max(waits) <= left - 59
        left = waits[-1]
    clock.advance(left)
    guest.login(ada.username, ada.password)


@pytest.mark.inside("changes settings")
def test_others_may_still_log_in(
    guest: FlowClient, enter: Enter, ada: Person, grace: Person, limit: int
) -> None:
    there = enter(ada)
    for _ in range(limit + 1):
        guess(guest, ada.username)
    assert_logged_in(enter(grace))
    assert_logged_in(there)
    there.refresh()


@pytest.mark.inside("changes settings")
def test_the_current_password_cannot_be_guessed_either(
    enter: Enter, ada: Person, limit: int
) -> None:
    client = enter(ada)
    body = {"current_password": "not-the-password", "new_password": "seven-swallows"}
    answers = [client.send("POST", "password/", body) for _ in range(limit + 1)]
    assert [answer.status_code for answer in answers] == [400] * limit + [429]
    assert_refused(answers[-1], 429, "throttled")
    assert_logged_in(client)


@pytest.mark.inside("counts the passwords that are hashed")
@pytest.mark.django_db(transaction=True)
def test_guesses_at_once_reach_the_hasher_no_more_often_than_the_limit(
    visit: Visit,
    flow: str,
    other_flow: str,
    ada: Person,
    limit: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Threat: 40 of 40 concurrent guesses passed DRF's throttle, which reads before it writes."""
    threads = 24
    together, hashed = threading.Barrier(threads), []

    def counted(user: User, password: str) -> bool:
        hashed.append(password)
        return False

    monkeypatch.setattr(User, "check_password", counted)

    def attempt(number: int) -> int:
        client = visit((flow, other_flow)[number % 2])
        client.fetch_csrf_token()
        together.wait(timeout=30)
        try:
            return guess(client, ada.username)
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        answers = sorted(pool.map(attempt, range(threads)))
    assert answers == [401] * limit + [429] * (threads - limit)
    assert len(hashed) == limit
