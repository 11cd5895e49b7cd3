"""Is what a login takes in a store measured where it is, and is nothing of the measurement left?"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import redis

from lab.benchmark.rows import Row
from lab.benchmark.run.measuring import store
from lab.benchmark.tables import table
from lab.staging.redis_server import private_redis

# The database is a file of the test: Django is only asked to let it be opened.
pytestmark = [pytest.mark.once, pytest.mark.django_db]

TABLES = """
CREATE TABLE person (id integer PRIMARY KEY, name text UNIQUE);
CREATE TABLE token (id integer PRIMARY KEY, jti text UNIQUE);
CREATE TABLE family (
    id text PRIMARY KEY,
    current_id integer UNIQUE REFERENCES token DEFERRABLE INITIALLY DEFERRED,
    person_id integer REFERENCES person DEFERRABLE INITIALLY DEFERRED,
    words text
);
CREATE TABLE accounts_authevent (id integer PRIMARY KEY, words text);
INSERT INTO person VALUES (7, 'ada');
INSERT INTO token VALUES (1, 'of-another-login');
"""
LOGIN = """
INSERT INTO token VALUES (2, 'abcdefghijklmnop');
INSERT INTO family VALUES ('device-of-ada', 2, 7, '{words}');
INSERT INTO accounts_authevent VALUES (1, 'logged in');
UPDATE person SET name = 'ada lovelace';
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "peers.sqlite3"
    run(path, TABLES)
    return path


def run(path: Path, script: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [*connection.iterdump()]


def growth(path: Path, script: str) -> int:
    with store.database(f"sqlite:///{path}") as connection:
        before = store.ids_of_rows(connection)
        run(path, script)
        after = dump(path)
        found = store.growth_of_database(connection, before, 1_000)
    assert dump(path) == after, "the copies are gone"
    return found


def test_every_table_that_a_login_adds_to_is_measured(file: Path) -> None:
    """Keys and numbers included; the words of a family are what most of it is."""
    assert 1_000 * 300 < growth(file, LOGIN.format(words="x" * 200)) < 1_000 * 420


def test_where_a_login_adds_no_row_nothing_is_kept(file: Path) -> None:
    """That it happened is written down in another table, and that is no credential."""
    assert growth(file, "UPDATE person SET name = 'x'") == 0
    assert growth(file, "INSERT INTO accounts_authevent VALUES (3, 'x')") == 0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[redis.Redis]:
    with private_redis(tmp_path) as url, redis.Redis.from_url(url) as client:
        yield client


def test_every_key_that_a_login_adds_is_measured(server: redis.Redis) -> None:
    server.set("login-limit:account:ada", "x" * 1_000)
    assert store.growth_of_redis(server, 1_000) < 1_000

    server.set("session:{1}:abc", "x" * 200, ex=60)
    server.zadd("sessions:{1}", {"abc": 1})
    grown = store.growth_of_redis(server, 1_000)
    assert server.dbsize() == 2_003
    assert 0 < server.pttl("0000999:{1}:abc") <= 60_000
    alone = sum(
        server.memory_usage(name, samples=0) or 0 for name in ("session:{1}:abc", "sessions:{1}")
    )
    assert 1_000 * alone < grown < 1_000 * (alone + 150), "and what Redis needs to find them"


def test_who_shares_a_store_is_told_whose_figure_it_is() -> None:
    rows = [
        Row("memory_per_10000_logins", "jwt-expiry", "bytes", [399], {"devices": 1}),
        Row("memory_per_10000_logins", "jwt-naive", "bytes", [0], {"devices": 1}),
    ]
    assert table(rows).lines == [
        ["jwt-naive", "0"],
        ["jwt-expiry", "399"],
        ["jwt-lookup", "as jwt-expiry"],
        ["jwt-push", "as jwt-expiry"],
        ["jwt-cookie", "as jwt-expiry"],
    ]
    client = [Row("credential_bytes_client", "session-push", "bytes", [45])]
    kept = [Row("credential_bytes_store", "session-redis", "bytes", [473], {"devices": 2})]
    assert ["session-push", "45", "as session-redis"] in table([*client, *kept]).lines
    assert table(client).lines == [["session-push", "45"]]
