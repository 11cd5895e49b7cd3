"""What becomes of tokens when their rows are purged? Nothing: they get the answer they had before.

R0, R1, R2 are successive refresh tokens of one login.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection, connections, transaction
from django.test import Client
from pytest_django import Settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.models import AuthEvent, User
from accounts.purge import purge_events
from jwt_api import purge as purging
from jwt_api.models import TokenFamily
from tests.accounts.people import make
from tests.accounts.plans import Plan, plans
from tests.accounts.racing import at_once, atomic_requests_in_ci, browser, log_in, post, trials
from tests.jwt_api.forging import Forge
from tests.jwt_api.overdue import crowd, fill, some_time_ago
from tests.jwt_api.test_families import DAY, Login, assert_refused, present, reuses

needs_threads = pytest.mark.django_db(transaction=True)
pytestmark = pytest.mark.django_db

ROOT = Path(__file__).resolve().parent.parent.parent
LEEWAY, MARGIN = 30, purging.MARGIN_SECONDS


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that stands, on a whole second as `exp` does."""
    with time_machine.travel(datetime.now(UTC).replace(microsecond=0), tick=False) as traveller:
        yield traveller


def purge(batch: int = 3) -> None:
    call_command("purge_auth", f"--batch={batch}", "--load=100", verbosity=0)


def flush() -> None:
    call_command("flushexpiredtokens")


def purge_and_flush() -> None:
    purge()
    flush()
    purge()


def is_stored(token: str) -> bool:
    return OutstandingToken.objects.filter(jti=Forge(token).claims["jti"]).exists()


def end_of(token: str) -> datetime:
    return datetime.fromtimestamp(Forge(token).claims["exp"], UTC)


# --- the second that counts (R13, R46) --------------------------------------------------------

PURGES: dict[str, Callable[[], None]] = {
    "no purge": lambda: None,
    "purge_auth": purge,
    "SimpleJWT's flushexpiredtokens": flush,
    "both": purge_and_flush,
}
MOMENTS = {  # seconds after `exp`: is the token still let in, is its row still there
    "before its end": (-1, True, True),
    "first second of the leeway": (1, True, True),
    "last second of the leeway": (LEEWAY - 1, True, True),
    "end of the leeway": (LEEWAY, False, True),
    "after the leeway": (LEEWAY + 1, False, True),
    "last second of the margin": (LEEWAY + MARGIN - 1, False, True),
    "end of the margin": (LEEWAY + MARGIN, False, False),
    "after the margin": (LEEWAY + MARGIN + 1, False, False),
}
moments = pytest.mark.parametrize(
    ("seconds", "is_let_in", "is_kept"), [pytest.param(*m, id=name) for name, m in MOMENTS.items()]
)
purges = pytest.mark.parametrize("purge_so", [pytest.param(p, id=n) for n, p in PURGES.items()])


def login_with_old_tokens(clock: time_machine.Traveller) -> Login:
    """R0 ends after 7 days, R1 after 8, and R2 after 10: the login lives on."""
    login = Login()
    for days in (1, 2):
        clock.shift(days * DAY)
        login.renew()
    return login


@purges
@moments
def test_a_used_token_is_answered_alike_with_and_without_a_purge(
    ada: User,
    clock: time_machine.Traveller,
    settings: Settings,
    purge_so: Callable[[], None],
    seconds: int,
    is_let_in: bool,
    is_kept: bool,
) -> None:
    """Reuse while the token can still be used; refused by its own `exp` afterwards."""
    assert settings.LEEWAY_SECONDS == LEEWAY
    login = login_with_old_tokens(clock)
    clock.move_to(end_of(login.refresh[0]) + timedelta(seconds=seconds))
    purge_so()
    if purge_so is purge:
        assert is_stored(login.refresh[0]) == is_kept
    expected = "credential_reused" if is_let_in else "credential_expired"
    assert_refused(present(login.refresh[0]), expected)
    assert reuses() == is_let_in
    assert login.is_live() == (not is_let_in)


@purges
@moments
def test_the_current_token_stays_good_whatever_is_purged(
    ada: User,
    clock: time_machine.Traveller,
    purge_so: Callable[[], None],
    seconds: int,
    is_let_in: bool,
    is_kept: bool,
) -> None:
    login = login_with_old_tokens(clock)
    clock.move_to(end_of(login.refresh[0]) + timedelta(seconds=seconds))
    purge_so()
    login.renew()
    assert_refused(present(login.refresh[1]), "credential_reused")  # reuse is reuse as before


@moments
def test_an_unused_login_ends_by_its_own_clock_and_not_by_the_purge(
    ada: User, clock: time_machine.Traveller, seconds: int, is_let_in: bool, is_kept: bool
) -> None:
    """Its family goes with its last token: nothing can refresh it any more."""
    login = Login()
    clock.move_to(end_of(login.refresh[0]) + timedelta(seconds=seconds))
    purge()
    assert is_stored(login.refresh[0]) == is_kept
    assert TokenFamily.objects.exists() == is_kept
    assert present(login.refresh[0]).status_code == (200 if is_let_in else 401)


def test_margin_is_for_clocks_that_are_ahead(ada: User, clock: time_machine.Traveller) -> None:
    """The purge runs where the clock is an hour ahead; the web servers' clocks are right."""
    login, later = Login(), Login()
    end = end_of(login.refresh[0])
    clock.move_to(end + timedelta(seconds=LEEWAY - 1))
    later.renew()
    clock.shift(3600)
    purge()
    clock.move_to(end + timedelta(seconds=LEEWAY - 1))
    assert login.is_live()
    assert later.is_live()


def test_an_ended_family_says_why_for_as_long_as_its_token_could_come(
    ada: User, clock: time_machine.Traveller
) -> None:
    login = Login()
    post(login.client, "/api/jwt/logout/")
    clock.move_to(end_of(login.refresh[0]) + timedelta(seconds=LEEWAY - 1))
    purge()
    assert_refused(present(login.refresh[0]), "credential_revoked")
    clock.move_to(end_of(login.refresh[0]) + timedelta(seconds=LEEWAY + MARGIN))
    purge()
    assert not TokenFamily.objects.exists()
    assert not BlacklistedToken.objects.exists()
    assert_refused(present(login.refresh[0]), "credential_expired")


def test_a_family_that_lives_loses_its_predecessor_when_its_time_is_over(
    ada: User, clock: time_machine.Traveller
) -> None:
    login = Login()
    clock.shift(6 * DAY)
    login.renew()
    clock.shift(2 * DAY)
    assert dry_run() == {"refresh tokens": 1, "token families": 0}
    purge()
    assert_refused(present(login.refresh[0]), "credential_expired")
    family = login.family()
    assert family.previous is None
    assert family.current is not None
    assert family.generation == 2
    assert family.ended is None
    login.renew()
    clock.shift(8 * DAY)
    assert dry_run() == {"refresh tokens": 2, "token families": 1}
    purge()
    for model in (TokenFamily, OutstandingToken, BlacklistedToken):
        assert not model.objects.exists()


def dry_run() -> dict[str, int]:
    (counts,) = purging.purge(batch=3, dry_run=True)
    return dict(counts)


def test_families_whose_token_simplejwt_flushed_go_after_their_absolute_end(
    ada: User, clock: time_machine.Traveller, settings: Settings
) -> None:
    logins = [Login() for _ in range(5)]
    clock.move_to(end_of(logins[0].refresh[0]) + timedelta(seconds=LEEWAY + MARGIN))
    flush()
    purge()
    assert TokenFamily.objects.filter(current=None).count() == 5
    assert_refused(present(logins[0].refresh[0]), "credential_expired")
    clock.shift(settings.ABSOLUTE_SECONDS)
    living = Login()
    assert dry_run() == {"refresh tokens": 0, "token families": 5}
    purge()
    assert TokenFamily.objects.get() == living.family()
    assert living.is_live()


# --- what is counted, what is left ------------------------------------------------------------


def test_everything_that_is_overdue_goes_and_nothing_else(ada: User) -> None:
    """R46, small: `make load` does it with a million rows."""
    living = [Login() for _ in range(3)]
    living[0].renew(2)
    fill(3000, ada, ended_before=some_time_ago(days=91), over=timedelta(days=30))
    fill(500, ada, ended_before=some_time_ago(days=-1), over=timedelta(hours=12))
    assert dry_run() == {"refresh tokens": 3000, "token families": 300}
    purge(batch=170)
    assert dry_run() == {"refresh tokens": 0, "token families": 0}
    assert OutstandingToken.objects.count() == 500 + 5
    assert TokenFamily.objects.count() == 50 + 3
    assert BlacklistedToken.objects.count() == 450 + 2
    assert all(login.is_live() for login in living)


def test_each_batch_is_committed_when_it_is_told(ada: User) -> None:
    fill(1000, ada, ended_before=some_time_ago(days=91), over=timedelta(days=1))
    left = 1000
    for gone in purging.purge(batch=100):
        left -= gone["refresh tokens"]
        assert OutstandingToken.objects.count() == left
        if left < 500:
            break  # whoever stops in between leaves whole batches
    assert consistent()


def consistent() -> bool:
    """Whether each filled token still has its one companion: a family, or a blacklist row."""
    companions = BlacklistedToken.objects.count() + TokenFamily.objects.count()
    connection.check_constraints()
    return companions == OutstandingToken.objects.count()


# --- how rows are found (R46) -----------------------------------------------------------------

INDEXES = {
    "refresh tokens": ("jwt_api_token_by_expiry", purging.purge),
    "events": ("accounts_event_by_time", purge_events),
}


def plans_of(some_purge: Callable[..., Iterator[Any]]) -> list[Plan]:
    with plans() as found:
        batches = some_purge(batch=50)
        next(batches)
        next(batches)
    return found


@pytest.mark.parametrize(("index", "purge_so"), INDEXES.values(), ids=INDEXES)
def test_no_statement_of_the_purge_reads_a_whole_table(
    db: None, index: str, purge_so: Callable[..., Iterator[Any]]
) -> None:
    """R46: the plans are those of the purge's own statements, asked for as it runs."""
    # Of a user with many events, SQLite would find the old ones by an index that begins with him.
    users = crowd(4000)
    fill(20_000, *users, ended_before=some_time_ago(days=91), over=timedelta(days=30))
    fill(20_000, *users, ended_before=some_time_ago(days=-30), over=timedelta(days=30))
    found = plans_of(purge_so)
    assert len({plan.statement for plan in found}) >= 3
    assert [plan for plan in found if plan.reads_a_whole_table()] == []
    assert any(index in plan.steps for plan in found)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {index}")
    assert any(plan.reads_a_whole_table() for plan in plans_of(purge_so)), "it can be seen"


def indexes_of(table: str) -> set[str]:
    with connection.cursor() as cursor:
        return set(connection.introspection.get_constraints(cursor, table))


@needs_threads
def test_the_index_on_simplejwts_table_comes_and_goes_with_its_migration() -> None:
    table = OutstandingToken._meta.db_table
    try:
        call_command("migrate", "jwt_api", "0002", verbosity=0)
        assert "jwt_api_token_by_expiry" not in indexes_of(table)
    finally:
        call_command("migrate", "jwt_api", verbosity=0)
    assert "jwt_api_token_by_expiry" in indexes_of(table)


# --- others at the same moment ----------------------------------------------------------------


@needs_threads
def test_purge_waits_for_nobody_and_so_nobody_for_it(ada: User) -> None:
    """A logout-all has one family, and wants another that the purge would have: a deadlock."""
    fill(40, ada, ended_before=some_time_ago(days=91), over=timedelta(hours=1))
    first, *_, last = TokenFamily.objects.order_by("current_id")
    ended = threading.Event()

    def purge_meanwhile() -> None:
        try:
            purge(batch=100)
        finally:
            ended.set()
            connections.close_all()

    with ThreadPoolExecutor() as pool:
        with transaction.atomic():
            TokenFamily.objects.filter(pk=last.pk).update(ended=datetime.now(UTC))
            purged = pool.submit(purge_meanwhile)
            # PostgreSQL's purge leaves `last` alone and ends; SQLite's begins after this commit.
            ended.wait(timeout=1)
            TokenFamily.objects.filter(pk=first.pk).update(ended=datetime.now(UTC))
        purged.result()
    assert consistent()
    purge()
    assert not OutstandingToken.objects.exists()


@needs_threads
def test_two_purges_at_once_do_no_harm(ada: User) -> None:
    fill(1000, ada, ended_before=some_time_ago(days=91), over=timedelta(days=1))
    living = Login()
    together = [partial(purge, batch) for batch in (20, 30, 50)]
    at_once(together)
    assert consistent() or TokenFamily.objects.count() == OutstandingToken.objects.count() == 1
    purge()
    assert OutstandingToken.objects.count() == 1
    assert not AuthEvent.objects.filter(device__startswith="old").exists()
    assert living.is_live()


def call(client: Client, path: str) -> Any:
    return post(client, f"/api/jwt/{path}/")


def enter(username: str) -> Client:
    client = browser()
    token = log_in(client, "jwt", username)["credential"]["token"]
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def answers_of(client: Client, path: str, times: int) -> list[int]:
    return [call(client, path).status_code for _ in range(times)]


def logins(username: str, times: int) -> list[int]:
    return [enter(username).get("/api/jwt/me/").status_code for _ in range(times)]


@needs_threads
@atomic_requests_in_ci
def test_purge_racing_everything_loses_nothing_that_lives(ada: User, atomic_requests: bool) -> None:
    """Refreshes, logouts, a logout-all over the purged families too, a deletion, logins."""
    make("grace")
    for trial in range(trials(2, full=20)):
        mallory = make(f"mallory-{trial}")
        fill(400, ada, ended_before=some_time_ago(days=91), over=timedelta(days=1))
        fill(400, mallory, ended_before=some_time_ago(days=91), over=timedelta(days=1))
        staying = [enter("grace") for _ in range(4)]
        leaving, everywhere = enter("grace"), enter("ada")
        calls: list[Callable[[], Any]] = [
            *(partial(answers_of, client, "refresh", 5) for client in staying),
            partial(answers_of, leaving, "logout", 2),
            partial(answers_of, everywhere, "logout-all", 1),
            partial(logins, "grace", 2),
            mallory.delete,
            partial(purge, 40),
            partial(purge, 70),
        ]
        answers = at_once(calls)
        assert answers[:4] == [[200] * 5] * 4
        assert answers[4:7] == [[204, 204], [204], [200, 200]]
        assert [call(client, "refresh").status_code for client in staying] == [200] * 4
        assert {call(c, "refresh").status_code for c in (leaving, everywhere)} == {401}
        connection.check_constraints()
        purge(1000)
        assert dry_run() == {"refresh tokens": 0, "token families": 0}
        assert not OutstandingToken.objects.filter(expires_at__lt=some_time_ago(days=1)).exists()


# --- killed -----------------------------------------------------------------------------------


def database_url() -> str:
    """The URL of this run's own database, for another process."""
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()


def start_purge(*arguments: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "manage.py", "purge_auth", "--load=100", "--verbosity=2", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url(), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.thorough
@needs_threads
@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 130)],
    ids=["SIGKILL", "SIGTERM", "Ctrl-C"],
)
def test_a_purge_that_is_killed_leaves_whole_batches_and_can_run_again(
    ada: User, sent: signal.Signals, code: int
) -> None:
    """A real process, ended somewhere in its work, which is nearly always inside of a batch."""
    fill(12_000, ada, ended_before=some_time_ago(days=91), over=timedelta(days=1))
    for _ in range(trials(1, full=10)):
        with start_purge("--batch=50") as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(random.uniform(0, 0.03))
            process.send_signal(sent)
            _, complaint = process.communicate(timeout=30)
        assert process.returncode == code, complaint
        assert "Traceback" not in complaint
        assert consistent()
    assert 0 < OutstandingToken.objects.count() < 12_000
    purge(1000)
    assert not OutstandingToken.objects.exists()
    assert not AuthEvent.objects.exists()
