"""Does what the server keeps grow only as live devices grow? In every flow, and the audit trail."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.test import Client
from django_redis import get_redis_connection
from pytest_django import Settings

from accounts.contract.registry import flows
from accounts.management.commands.purge_auth import Command
from accounts.models import AuthEvent, User
from accounts.purge import purge_events
from tests.accounts.people import make
from tests.accounts.racing import browser, copy_of, log_in, post
from tests.contract.clock import Clock

pytestmark = pytest.mark.django_db

FLOWS = [flow.key for flow in flows()]
ROOT = Path(__file__).resolve().parent.parent.parent
DAY = 86_400
every_flow = pytest.mark.parametrize("flow", FLOWS)


def purge(*arguments: str) -> str:
    """What the command says."""
    said = StringIO()
    call_command("purge_auth", "--load=100", "--batch=7", *arguments, stdout=said, stderr=said)
    return said.getvalue()


@pytest.fixture
def clock() -> Iterator[Clock]:
    with time_machine.travel(datetime.now(UTC), tick=True) as traveller:
        yield Clock(traveller, get_redis_connection("auth"))


# --- what is left when nobody is logged in any more (design 5.11, R46) ------------------------


def rows() -> dict[str, int]:
    """How many rows each table has."""
    with connection.cursor() as cursor:
        counted = {}
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")
            counted[table] = cursor.fetchone()[0]
    return counted


def keys() -> dict[str, int]:
    """Every key in Redis with its TTL in seconds; -1 is one that never ends."""
    redis = get_redis_connection("auth")
    return {key.decode(): redis.ttl(key) for key in redis.keys("*")}


def enter(flow: str) -> Client:
    client = browser()
    token = log_in(client, flow)["credential"]["token"]
    if token:
        client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    return client


def do_everything(flow: str) -> None:
    """All that a person, and a thief, can do to a login."""
    client, other, old = enter(flow), enter(flow), enter(flow)
    stolen = copy_of(old)
    bad = {"username": "ada", "password": "not hers"}
    calls: list[tuple[Client, str, Any]] = [
        (client, "login", bad),
        (client, "refresh", None),
        (client, "refresh", None),
        (old, "refresh", None),
        (stolen, "refresh", None),
        (stolen, "logout", None),
        (browser(), "logout", None),
    ]
    for who, call, body in calls:
        post(who, f"/api/{flow}/{call}/", body)
    client.patch(f"/api/{flow}/me/", {"display_name": "Ada"}, content_type="application/json")
    device = other.get(f"/api/{flow}/whoami/").json()["device"]
    client.delete(f"/api/{flow}/devices/{device}/")
    post(enter(flow), f"/api/{flow}/logout-all/")
    client.get("/")
    enter(flow)  # and never comes back


@every_flow
@pytest.mark.django_db(transaction=True)
def test_nothing_is_left_of_logins_whose_time_is_over(
    flow: str, clock: Clock, settings: Settings
) -> None:
    make("ada")
    before = rows()
    do_everything(flow)
    assert rows() != before
    assert [key for key, seconds in keys().items() if seconds < 0] == [], "each key ends by itself"
    clock.advance(settings.ABSOLUTE_SECONDS + 2 * DAY)
    purge()
    clock.advance((settings.AUDIT_DAYS + 1) * DAY)
    purge()
    assert rows() == before
    assert keys() == {}


@every_flow
@pytest.mark.django_db(transaction=True)
def test_a_device_that_is_used_for_months_costs_no_more_than_in_its_first_weeks(
    flow: str, clock: Clock, settings: Settings
) -> None:
    """The device logs in again when its absolute time is over; a purge runs every day."""
    settings.LOGIN_LIMIT_ACCOUNT = 1000
    settings.AUDIT_DAYS = 7
    make("ada")
    client = enter(flow)
    sizes = []
    for _ in range(3 * settings.ABSOLUTE_SECONDS // (2 * DAY)):
        clock.advance(2 * DAY)
        if post(client, f"/api/{flow}/refresh/").status_code != 200:
            client = enter(flow)
        purge()
        sizes.append(sum(rows().values()) + len(keys()))
    third = len(sizes) // 3
    assert max(sizes[third:]) <= max(sizes[:third]) + 2


# --- the audit trail --------------------------------------------------------------------------


def event(age: timedelta, user: User | None = None) -> AuthEvent:
    made = AuthEvent.objects.create(kind=AuthEvent.Kind.LOGIN, flow="jwt", user=user)
    AuthEvent.objects.filter(pk=made.pk).update(created=datetime.now(UTC) - age)
    return made


SECOND = timedelta(seconds=1)
AGES = {
    "just written": (timedelta(), True),
    "a second before its time": (timedelta(days=90) - 10 * SECOND, True),
    "a second after its time": (timedelta(days=90) + SECOND, False),
    "years old": (timedelta(days=4000), False),
}


@pytest.mark.parametrize(("age", "is_kept"), AGES.values(), ids=AGES)
def test_events_go_after_audit_days(age: timedelta, is_kept: bool, settings: Settings) -> None:
    assert settings.AUDIT_DAYS == 90
    kept = event(age)
    purge()
    assert AuthEvent.objects.filter(pk=kept.pk).exists() == is_kept


@pytest.mark.parametrize("days", [0, -1])
def test_no_audit_days_keep_everything(settings: Settings, days: int) -> None:
    """A number that makes no sense deletes nothing either."""
    settings.AUDIT_DAYS = days
    event(timedelta(days=4000))
    assert "nothing" in purge()
    assert "nothing" in purge("--dry-run")
    assert AuthEvent.objects.count() == 1


def test_events_of_one_moment_go_in_more_than_one_batch(ada: User) -> None:
    """Where a batch ends among rows of the same time, the next one goes on among them."""
    AuthEvent.objects.bulk_create(AuthEvent(kind="login", user=ada) for _ in range(50))
    AuthEvent.objects.update(created=datetime.now(UTC) - timedelta(days=100))
    event(timedelta())
    assert [gone["events"] for gone in purge_events(batch=20)] == [20, 20, 10]
    assert AuthEvent.objects.count() == 1


# --- what the command says --------------------------------------------------------------------


def test_dry_run_says_what_would_go_and_deletes_nothing(ada: User) -> None:
    for _ in range(8):
        event(timedelta(days=91), ada)
    before = rows()
    assert purge("--dry-run") == "Would delete 8 events.\n"
    assert rows() == before
    assert purge() == "Deleted 8 events.\n"
    assert purge() == "Deleted nothing.\n"


def test_verbosity(ada: User) -> None:
    said = {}
    for verbosity in (0, 1, 2):
        for _ in range(8):
            event(timedelta(days=91), ada)
        said[verbosity] = purge(f"--verbosity={verbosity}").splitlines()
    assert said[0] == []
    assert said[1] == ["Deleted 8 events."]
    assert said[2] == ["Deleted 7 events.", "Deleted 8 events.", "Deleted 8 events."]


@pytest.mark.parametrize("argument", ["--batch=0", "--batch=-1", "--batch=many", "--batch=100000"])
def test_batches_that_no_database_takes_are_refused(argument: str) -> None:
    with pytest.raises(CommandError, match="--batch: a number from 1 to 10000"):
        call_command("purge_auth", argument)


@pytest.mark.parametrize("argument", ["--load=0", "--load=-5", "--load=101", "--load=all"])
def test_loads_that_mean_nothing_are_refused(argument: str) -> None:
    with pytest.raises(CommandError, match="--load: a number above 0"):
        call_command("purge_auth", argument)


@pytest.mark.parametrize(
    ("took", "rest"),
    [
        pytest.param(0.01, 0.49, id="so that it works 2 %"),
        pytest.param(1, 2, id="but not for ever"),
    ],
)
def test_it_rests_between_batches(
    ada: User, monkeypatch: pytest.MonkeyPatch, took: float, rest: float
) -> None:
    rests: list[float] = []
    ticks = count(step=took)
    monkeypatch.setattr("accounts.management.commands.purge_auth.time.sleep", rests.append)
    monkeypatch.setattr(
        "accounts.management.commands.purge_auth.time.monotonic", lambda: next(ticks)
    )
    for _ in range(8):
        event(timedelta(days=91), ada)
    call_command("purge_auth", "--load=2", "--batch=7", verbosity=0)
    assert rests == pytest.approx([rest, rest])


# --- a store that is away ---------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


AWAY: dict[str, Callable[[Path], str]] = {
    "PostgreSQL": lambda tmp_path: f"postgres://ada:secret-word@127.0.0.1:{free_port()}/x",
    "SQLite": lambda tmp_path: f"sqlite:///{tmp_path}/nowhere/db.sqlite3",
    "no tables": lambda tmp_path: f"sqlite:///{tmp_path}/empty.sqlite3",
}


@pytest.mark.thorough
@pytest.mark.once
@pytest.mark.parametrize("away", [pytest.param(away, id=name) for name, away in AWAY.items()])
def test_a_database_that_is_away_is_one_sentence_and_exit_code_1(
    tmp_path: Path, away: Callable[[Path], str]
) -> None:
    finished = subprocess.run(
        [sys.executable, "manage.py", "purge_auth"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": away(tmp_path), "VAR_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    assert finished.stdout == ""
    assert "does not answer as it should" in finished.stderr
    assert "Deleted nothing. Run it again." in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert "secret-word" not in finished.stderr


@pytest.mark.once
def test_ctrl_c_that_tears_a_transaction_is_ctrl_c_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is raised then is Django's complaint about its connection."""

    def torn(*args: Any, **options: Any) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise OperationalError("can't change 'autocommit' now")

    monkeypatch.setattr(Command, "purge", torn)
    with pytest.raises(SystemExit) as ended:
        call_command("purge_auth")
    assert ended.value.code == 130
    assert "The next run goes on from there." in capsys.readouterr().err
