"""Is a session in SQL as hard to revive, to use twice and to forge as one in Redis?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client
from django_redis import get_redis_connection
from pytest_django import Settings

from accounts.contract.errors import CredentialRevoked
from accounts.models import User
from lab.benchmark.costs import measured
from lab.models import DatabaseSession
from lab.strategies import database_sessions
from sessions_api.records import digest_of
from tests.accounts.racing import at_once, browser, copy_of, post, trials

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("lab")]

HERE = "/lab/strategies/session-database"
COOKIE = "__Host-sql-sessionid"


@pytest.fixture
def client(ada: User) -> Client:
    client = browser()
    log_in(client)
    return client


def log_in(client: Client) -> None:
    answer = post(client, f"{HERE}/login/", {"username": "ada", "password": "ada-demo-password"})
    assert answer.status_code == 200, answer.content


def whoami(client: Client) -> Any:
    return client.get(f"{HERE}/whoami/")


def refresh(client: Client) -> Any:
    return post(client, f"{HERE}/refresh/")


def held_by(client: Client) -> str:
    return client.cookies[COOKIE].value


@pytest.fixture
def late() -> Callable[[float], time_machine.travel]:
    """So many seconds from now."""
    begun = datetime.now(UTC)
    return lambda seconds: time_machine.travel(begun + timedelta(seconds=seconds))


# --- what stands in the table ---------------------------------------------------------------


def test_no_session_id_stands_in_the_database(client: Client) -> None:
    refresh(client)
    rows = DatabaseSession.objects.values_list()
    assert len(rows) == 2
    assert held_by(client).partition(".")[2] not in str(list(rows))


def test_use_is_noted_once_a_minute(
    client: Client, late: Callable[[float], time_machine.travel]
) -> None:
    redis = get_redis_connection("auth")
    for seconds, statements in ((30, 2), (61, 3), (90, 2), (130, 3)):
        with late(seconds), measured(redis) as cost:
            assert whoami(client).status_code == 200
        assert len(cost.sql) == statements


def test_a_session_in_use_goes_on_without_a_refresh(
    client: Client, settings: Settings, late: Callable[[float], time_machine.travel]
) -> None:
    for step in range(1, 4):
        with late(0.8 * step * settings.SESSION_COOKIE_AGE):
            assert (whoami(client).status_code == 200) == (
                0.8 * step * settings.SESSION_COOKIE_AGE < settings.ABSOLUTE_SECONDS
            )


def test_a_use_that_was_under_way_brings_no_ended_session_back(client: Client) -> None:
    """Threat: the request has read the session before the logout, and notes its use after it."""
    session_id = held_by(client)
    record = database_sessions.read(session_id)
    record.seen -= 61
    post(client, f"{HERE}/logout/")
    database_sessions.touch(session_id, record)
    with pytest.raises(CredentialRevoked):
        database_sessions.read(session_id)


def test_what_ended_while_the_lab_was_off_stays_ended(client: Client, settings: Settings) -> None:
    """Nobody told this flow of the change; the epoch says it all the same."""
    settings.LAB = False
    User.objects.get().raise_epoch()
    settings.LAB = True
    answer = whoami(client)
    assert (answer.status_code, answer.json()["code"]) == (401, "credential_revoked")
    assert refresh(client).json()["code"] == "credential_revoked"


def test_purge_keeps_what_still_decides_something(
    client: Client, settings: Settings, late: Callable[[float], time_machine.travel]
) -> None:
    ended = copy_of(client)
    log_in(client)
    call_command("purge_auth", load=100, verbosity=0)
    assert refresh(ended).json()["code"] == "credential_revoked"
    with late(settings.SESSION_COOKIE_AGE + 2 * 86400):
        call_command("purge_auth", load=100, verbosity=0)
    assert not DatabaseSession.objects.exists()


# --- at the same moment ---------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 8])
def test_parallel_refreshes_leave_one_live_session(client: Client, count: int) -> None:
    for _ in range(trials(1)):
        tabs = [copy_of(client) for _ in range(count)]
        answers = at_once([partial(refresh, tab) for tab in tabs])
        assert {answer.status_code for answer in answers} == {200}
        assert len({held_by(tab) for tab in tabs} - {held_by(client)}) == 1
        assert DatabaseSession.objects.filter(ended=None).count() == 1
        log_in(client)


def test_a_refresh_that_races_a_logout_revives_nothing(client: Client) -> None:
    for _ in range(trials(3)):
        tabs = [copy_of(client) for _ in range(4)]
        leaving = partial(post, copy_of(client), f"{HERE}/logout/")
        answers = at_once([leaving, *(partial(refresh, tab) for tab in tabs)])
        assert answers[0].status_code == 204
        assert {answer.status_code for answer in answers[1:]} <= {200, 401}
        assert {whoami(tab).status_code for tab in tabs} == {401}
        assert not database_sessions.live(User.objects.get().pk).exists()
        log_in(client)


# --- what a record says ---------------------------------------------------------------------


def test_a_row_that_cannot_be_read_opens_nothing(client: Client) -> None:
    row = DatabaseSession.objects.filter(pk=digest_of(held_by(client)))
    row.update(session_data="not signed by this site")
    answer = whoami(client)
    assert (answer.status_code, answer.json()["code"]) == (401, "credential_invalid")
    assert post(client, f"{HERE}/logout/").status_code == 204
