"""Is a refresh token used once, when many present it at the same moment? (R34, R37, A26, A27)

What both flows promise of races stands in `tests/contract/test_races.py`; here is what only
the tables of the jwt flow can show.

RACE_TRIALS=100 pytest tests/jwt_api/test_races.py              # the full count, on SQLite
RACE_TRIALS=100 pytest --postgres tests/jwt_api/test_races.py   # and on PostgreSQL
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F
from django.test import Client
from psycopg import IsolationLevel
from pytest_django import Settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts import lifecycle
from accounts.audit import record
from accounts.contract.errors import ContractError
from accounts.models import AuthEvent, User
from jwt_api import store
from jwt_api.models import TokenFamily
from jwt_api.tokens import RefreshToken
from tests.accounts.racing import (
    at_once,
    atomic_requests_in_ci,
    browser,
    elsewhere,
    log_in,
    post,
    trials,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

PARALLEL = 32


def refresh_token_of(client: Client) -> str:
    return client.cookies[settings.REFRESH_COOKIE_NAME].value


def jti_of(token: str) -> str:
    return jwt.decode(token, options={"verify_signature": False})["jti"]


def holders(token: str, count: int = PARALLEL) -> list[Client]:
    """Browsers that hold the same refresh token."""
    return [browser(**{settings.REFRESH_COOKIE_NAME: token}) for _ in range(count)]


def refresh(client: Client) -> Any:
    return post(client, "/api/jwt/refresh/")


def refresh_at_once(clients: list[Client]) -> list[Any]:
    return at_once([partial(refresh, client) for client in clients])


def live_tokens() -> int:
    """How many refresh tokens could still be exchanged."""
    live = TokenFamily.objects.filter(ended=None, epoch=F("user__epoch"))
    unlisted = OutstandingToken.objects.filter(blacklistedtoken=None)
    return unlisted.filter(family__in=live).count()


def test_parallel_refreshes_leave_one_live_successor(ada: User) -> None:
    """R34: the losers are the winner's own other tabs, and get the same successor."""
    bad = []
    for _ in range(trials(3)):
        client = browser()
        log_in(client, "jwt")
        first = refresh_token_of(client)
        clients = holders(first)
        statuses = {answer.status_code for answer in refresh_at_once(clients)}
        successors = {jti_of(refresh_token_of(client)) for client in clients}
        family = TokenFamily.objects.get(ended=None)
        outcome = (statuses, len(successors), family.generation, live_tokens())
        if outcome != ({200}, 1, 2, 1) or successors == {jti_of(first)}:
            bad.append(outcome)
        store.end_family(family.pk, TokenFamily.Ended.LOGOUT)
    assert bad == []
    assert not AuthEvent.objects.filter(kind=AuthEvent.Kind.REUSE).exists()


def test_replays_of_an_old_token_racing_each_other_are_one_event(
    ada: User, settings: Settings
) -> None:
    """R39, R50: however many copies come back late, the family ends once."""
    settings.GRACE_SECONDS = 0
    client = browser()
    log_in(client, "jwt")
    old = refresh_token_of(client)
    assert refresh(client).status_code == 200
    answers = refresh_at_once(holders(old))
    codes = sorted(answer.json()["code"] for answer in answers)
    assert codes == ["credential_reused"] + ["credential_revoked"] * (PARALLEL - 1)
    assert AuthEvent.objects.filter(kind=AuthEvent.Kind.REUSE).count() == 1
    assert live_tokens() == 0


def test_refresh_racing_its_reuse_leaves_nothing_alive(ada: User, settings: Settings) -> None:
    """The victim refreshes while the thief's replay ends the family."""
    settings.GRACE_SECONDS = 0
    for _ in range(trials(8)):
        client = browser()
        log_in(client, "jwt")
        stolen = refresh_token_of(client)
        refresh(client)
        thieves = holders(stolen, 4)
        answers = at_once([partial(refresh, c) for c in [client, *thieves]])
        assert {answer.status_code for answer in answers} <= {200, 401}
        assert live_tokens() == 0
        assert refresh(client).status_code == 401


# --- the same interleavings, one step at a time -----------------------------------------------


def test_claim_that_comes_second_takes_nothing(ada: User) -> None:
    """Both have read "not used yet"; the conditional UPDATE lets one of them through."""
    _, token = store.start_family(ada, ip="127.0.0.1", user_agent="test")
    one, other = store._family_of(token), store._family_of(token)
    store._claim(one)
    with pytest.raises(store._Overtaken):
        store._claim(other)
    assert OutstandingToken.objects.count() == 2, "the loser's successor is taken back"
    assert BlacklistedToken.objects.count() == 1


def test_claim_after_the_family_ended_takes_nothing(ada: User) -> None:
    family, token = store.start_family(ada, ip="127.0.0.1", user_agent="test")
    read_before = store._family_of(token)
    store.end_family(family.pk, TokenFamily.Ended.LOGOUT)
    with pytest.raises(store._Overtaken):
        store._claim(read_before)
    assert live_tokens() == 0


def test_successor_of_a_refresh_overtaken_by_logout_all_is_dead(ada: User) -> None:
    """A37, one step at a time: the epoch is raised between the claim and the answer."""
    _, token = store.start_family(ada, ip="127.0.0.1", user_agent="test")
    _, successor = store.rotate(token)
    ada.raise_epoch()
    with pytest.raises(ContractError) as refused:
        store.rotate(RefreshToken(str(successor)))  # type: ignore[arg-type]
    assert refused.value.default_code == "credential_revoked"


# --- two transactions of which the database undoes one ----------------------------------------

ENGINE = settings.DATABASES["default"]["ENGINE"].rpartition(".")[2]


def wait_for_the_waiting() -> None:
    """Until the other connection waits for a lock that this one holds.

    For one of this one's: tests in other processes wait for theirs on the same server.
    """
    blocked = "NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
    deadline = time.monotonic() + 20
    with connection.cursor() as cursor:
        while True:
            cursor.execute(f"SELECT count(*) FROM pg_locks WHERE {blocked}")
            if cursor.fetchone()[0]:
                return
            assert time.monotonic() < deadline, "it does not wait"


def deadlock(family: TokenFamily, begin: Callable[[], Future[Any]]) -> Future[Any]:
    """The refresh holds the family and waits for its old token; this one the other way round."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL deadlock_timeout = '60s'")  # the other one is to notice it
    assert family.current is not None
    BlacklistedToken.objects.create(token=family.current)
    refreshing = begin()
    wait_for_the_waiting()
    TokenFamily.objects.select_for_update(of=["self"]).get(pk=family.pk)
    return refreshing


def serialization_failure(family: TokenFamily, begin: Callable[[], Future[Any]]) -> Future[Any]:
    """The refresh comes to a row that was changed after it began to look."""
    TokenFamily.objects.filter(pk=family.pk).update(user_agent="changed meanwhile")
    refreshing = begin()
    wait_for_the_waiting()
    return refreshing


def no_wait(family: TokenFamily, begin: Callable[[], Future[Any]]) -> Future[Any]:
    """The refresh is told "database is locked" at once."""
    refreshing = begin()
    refreshing.exception(timeout=30)
    return refreshing


Conflict = Callable[[TokenFamily, Callable[[], "Future[Any]"]], "Future[Any]"]
# What two transactions do, the options of the one that refreshes, and how that is answered.
CONFLICTS: dict[str, dict[str, tuple[Conflict, dict[str, Any], bool, int]]] = {
    "postgresql": {
        "deadlock": (deadlock, {"options": "-c deadlock_timeout=1s"}, False, 200),
        "serialization failure": (
            serialization_failure,
            {"isolation_level": IsolationLevel.REPEATABLE_READ},
            True,
            200,
        ),
    },
    "sqlite3": {"database is locked": (no_wait, {"timeout": 0}, False, 503)},
}


@atomic_requests_in_ci
@pytest.mark.parametrize("grace", [10, 0])
@pytest.mark.parametrize("name", CONFLICTS[ENGINE])
def test_conflict_of_two_transactions_burns_nothing(
    ada: User,
    atomic_requests: bool,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    grace: int,
) -> None:
    """R34, with real ones: the refresh that was undone is made again, by us or by its client."""
    conflict, options, commits, status = CONFLICTS[ENGINE][name]
    settings.GRACE_SECONDS = grace
    client = browser()
    log_in(client, "jwt")
    family = TokenFamily.objects.select_related("current").get()
    for option, value in options.items():
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], option, value)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            begin = partial(pool.submit, elsewhere, partial(refresh, client))
            refreshing = conflict(family, begin)
            transaction.set_rollback(not commits)
        answer = refreshing.result(timeout=30)
    assert answer.status_code == status
    assert refresh(client).status_code == 200
    assert live_tokens() == 1
    assert TokenFamily.objects.get().generation == (3 if status == 200 else 2)
    assert not AuthEvent.objects.filter(kind=AuthEvent.Kind.REUSE).exists()


@pytest.mark.parametrize("name", CONFLICTS[ENGINE])
def test_conflict_in_a_callers_transaction_undoes_all_of_it(
    ada: User, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Nobody can run a part of a transaction again; its caller hears of it, and nothing is burned.

    The contract's views never do that (`non_atomic_requests`); who lifts the store may.
    """
    conflict, options, commits, _ = CONFLICTS[ENGINE][name]
    family, token = store.start_family(ada, ip="127.0.0.1", user_agent="test")

    def rotate_inside() -> None:
        with transaction.atomic():
            store.rotate(token)

    for option, value in options.items():
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], option, value)
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            refreshing = conflict(family, partial(pool.submit, elsewhere, rotate_inside))
            transaction.set_rollback(not commits)
        assert isinstance(refreshing.exception(timeout=30), OperationalError)
    assert live_tokens() == 1
    assert not BlacklistedToken.objects.exists()
    store.rotate(token)
    assert TokenFamily.objects.get().generation == 2


if connection.vendor == "postgresql":

    def test_what_names_a_user_does_not_wait_for_a_new_password(
        ada: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Threat: a refresh waits at its commit for the row of its user, whose change waits for the
        refresh's family. PostgreSQL ends such a deadlock after a second, by a 503.
        """
        client = browser()
        bearer = f"Bearer {log_in(client, 'jwt')['credential']['token']}"

        def name_the_user() -> None:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET LOCAL lock_timeout = '2s'")
                AuthEvent.objects.create(kind=AuthEvent.Kind.REFRESH, flow="jwt", user=ada)

        def while_it_is_changed(*args: Any, **options: Any) -> None:
            elsewhere(name_the_user)
            record(*args, **options)

        monkeypatch.setattr(lifecycle, "record", while_it_is_changed)
        body = {
            "current_password": "ada-demo-password",
            "new_password": "seven-swallows-over-the-mill",
        }
        assert post(client, "/api/jwt/password/", body, authorization=bearer).status_code == 200
