"""Is the floor a floor? It checks nothing, and what is measured above it is real and counted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import resolve
from django.urls.exceptions import Resolver404
from pytest_django import Settings

import jwt_api.flow
from accounts.models import User
from authdemo import simulated_redis
from lab.benchmark import floor, in_process
from lab.benchmark.floor import figures, mount, mounted, warmed_up
from lab.benchmark.in_process import NotAnswered, Subject, get
from lab.benchmark.rows import Row
from lab.differences import difference
from lab.management.commands.floor import logged_in, strategies
from lab.simulated import Simulated
from lab.strategies import STRATEGIES

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted is the same after two requests as after hundreds."""
    monkeypatch.setattr(in_process, "WARM_UP", 2)


def by_subject(rows: list[Row], measure: str) -> dict[str, list[float]]:
    return {row.subject: row.values for row in rows if row.measure == measure}


def test_every_flow_is_measured_and_counted_beside_the_floor() -> None:
    with logged_in() as subjects:
        rows = figures(subjects, repetitions=2, rounds=1)
    assert Counter(row.measure for row in rows) == dict.fromkeys(
        ("microseconds", "times_floor", "sql_statements", "redis_commands"), 3
    )
    assert by_subject(rows, "sql_statements") == {"floor": [0], "sessions": [0], "jwt": [0]}
    assert by_subject(rows, "redis_commands") == {
        "floor": [0],
        "sessions": [difference("whoami_redis_commands", "sessions")],
        "jwt": [difference("whoami_redis_commands", "jwt")],
    }
    assert by_subject(rows, "times_floor")["floor"] == [1, 1]
    assert all(
        value > 0 for values in by_subject(rows, "microseconds").values() for value in values
    )


def test_a_flow_that_no_site_has_is_measured_at_an_address_like_theirs() -> None:
    class Third(jwt_api.flow.Flow):
        key = "third"

    with mounted([Third()]), logged_in([Third()]) as subjects:
        assert subjects[0].environ()["PATH_INFO"] == "/api/third/whoami/"
        rows = figures(subjects, repetitions=1, rounds=1)
    assert by_subject(rows, "sql_statements") == {"floor": [0], "third": [0]}


def test_every_strategy_is_measured() -> None:
    with strategies() as subjects:
        rows = figures(subjects, repetitions=1, rounds=1)
    counted = by_subject(rows, "sql_statements")
    assert counted.keys() == {"floor", *(row.key for row in STRATEGIES)}
    assert counted["session-database"] == [2], "the others know without asking the database"
    assert sum(sum(values) for values in counted.values()) == 2


def test_commands_that_a_subject_runs_are_counted() -> None:
    with logged_in() as subjects, warmed_up(subjects) as measured:
        sessions = subjects[0].environ()
        sessions["PATH_INFO"] = "/api/sessions/me/"
        measured.subjects = [Subject("me", lambda: sessions)]
        rows = measured.counts()
    assert by_subject(rows, "sql_statements") == {"me": [1]}
    assert by_subject(rows, "redis_commands") == {"me": [1]}


def test_a_refused_request_is_no_figure() -> None:
    nobody = Subject("nobody", get("/api/jwt/whoami/", HTTP_AUTHORIZATION="Bearer a.b.c"))
    with pytest.raises(NotAnswered, match="401"):
        figures([nobody], repetitions=1, rounds=1)


def test_without_tables_nothing_is_measured_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(User._meta, "db_table", "not_yet")
    with pytest.raises(CommandError, match=r"no such table: not_yet\. Is it migrated"):
        call_command("floor")


def test_the_floor_is_on_no_site() -> None:
    """Whoever is asked for nothing is told somebody's name there."""
    figures([], repetitions=1, rounds=1)
    with pytest.raises(Resolver404):
        resolve("/api/floor/whoami/")
    assert Client().get("/api/floor/whoami/").status_code == 404


def test_the_floor_is_on_the_site_that_is_there_to_be_measured(settings: Settings) -> None:
    """`lab.benchmark.run.wsgi` mounts it, and only the benchmark's stage starts that."""
    settings.ROOT_URLCONF = settings.ROOT_URLCONF  # so that it is put back
    mount()
    assert Client().get("/api/floor/whoami/").json()["id"] == 1
    assert Client().get("/api/jwt/whoami/").status_code == 401

    folder = Path(floor.__file__).parent.parent.parent
    named = [
        file.name
        for part in ("accounts", "authdemo", "jwt_api", "lab", "sessions_api")
        for file in (folder / part).rglob("*.py")
        if "benchmark.run.wsgi" in file.read_text(encoding="utf-8")
    ]
    assert named == ["stage.py"]


def test_simulated_redis_is_refused(settings: Settings) -> None:
    simulated_redis.ensure_running("f100f")
    simulated = {**settings.CACHES["auth"], "LOCATION": simulated_redis.url("f100f")}
    settings.CACHES = {**settings.CACHES, "auth": simulated}
    with pytest.raises(Simulated, match="Install redis-server"):
        figures([], repetitions=1, rounds=1)


def test_the_user_of_a_measurement_is_gone_after_it() -> None:
    with logged_in():
        assert User.objects.count() == 1
    assert not User.objects.exists()
