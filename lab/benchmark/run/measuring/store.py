"""What does the server keep for a login? One that really happened, copied ten thousand times.

What one login adds is found by looking before and after it: new keys of Redis, and new rows in
whichever tables. One alone is less than a page of a database, so its keys and rows are copied, each
under a name of its own, and the stores say by how much they grew: Redis by `used_memory`, SQLite by
its pages, PostgreSQL by `pg_total_relation_size`. The copies are gone again afterwards.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import redis
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler
from environ import Env

from lab.benchmark.run.plan import Bench, Step
from lab.benchmark.run.subjects import SITE, Subject
from lab.benchmark.subjects import subject as known

LOGINS = 10_000
AT_ONCE = 1_000
# What a login leaves behind and what keeps nobody logged in: that it happened, and was counted.
NO_CREDENTIAL = {"accounts_authevent"}
NO_CREDENTIAL_PREFIX = b"login-limit:"
# Numbers of rows that are copies lie above this; those of one copy stay together.
FAR, STRIDE = 1_000_000, 1_000

Rows = list[tuple[Any, ...]]


def steps(bench: Bench) -> list[Step]:
    chosen = {subject.key for subject in bench.subjects}
    throughout = bench.counts.peers_throughout
    return [
        Step(f"{subject.key} in its store", 0.6, partial(measure, bench, subject, devices))
        for devices in bench.counts.devices_of_a_user
        for subject in bench.subjects
        if subject.has_login
        and known(subject.key).keeps_as not in chosen
        and (throughout or subject.server == SITE)
    ]


def measure(bench: Bench, subject: Subject, devices: int) -> None:
    """Of a user with so many devices, who was there a moment ago; bytes for each of the logins."""
    url = bench.projects[subject.server].variables["DATABASE_URL"]
    with redis.Redis.from_url(bench.redis_url) as client, database(url) as connection:
        client.flushdb()  # nobody is logged in any more
        bench.logins.clear()
        before = ids_of_rows(connection)
        for _ in range(devices):
            bench.log_in(subject).http.close()
        users = LOGINS // devices
        grown = growth_of_redis(client, users)
        grown += growth_of_database(connection, before, users)
        client.flushdb()
    add = partial(bench.readings.add, devices=devices)
    add("credential_bytes_store", subject.key, "bytes", round(grown / LOGINS))
    add("memory_per_10000_logins", subject.key, "bytes", grown)


# --- Redis ----------------------------------------------------------------------------------


def growth_of_redis(client: redis.Redis, users: int) -> int:
    keys = [name for name in client.scan_iter() if not name.startswith(NO_CREDENTIAL_PREFIX)]
    kept = [(name, client.pttl(name), client.dump(name) or b"") for name in keys]
    before = used_memory(client)
    for first in range(0, users, AT_ONCE):
        with client.pipeline(transaction=False) as pipe:
            for number in range(first, min(first + AT_ONCE, users)):
                for name, milliseconds, content in kept:
                    # As long as before: the beginning is the only part that all names have.
                    copy = b"%07d" % number + name[7:]
                    pipe.restore(copy, max(0, milliseconds), content)
            pipe.execute()
    return used_memory(client) - before


def used_memory(client: redis.Redis) -> int:
    """Without what is only on its way to or from a client."""
    memory = client.info("memory")
    return int(memory["used_memory"]) - int(memory["mem_clients_normal"])


# --- the database ---------------------------------------------------------------------------


@contextmanager
def database(url: str) -> Iterator[BaseDatabaseWrapper]:
    """Of a measured site, which is not this process's own."""
    connection = ConnectionHandler({"default": Env.db_url_config(url)})["default"]
    try:
        yield connection
    finally:
        connection.close()


def ids_of_rows(connection: BaseDatabaseWrapper) -> dict[str, set[Any]]:
    """By table, of every table that has a primary key."""
    quote = connection.ops.quote_name
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            key = connection.introspection.get_primary_key_column(cursor, table)
            if key and table not in NO_CREDENTIAL:
                cursor.execute(f"SELECT {quote(key)} FROM {quote(table)}")  # noqa: S608
                found[table] = {row[0] for row in cursor.fetchall()}
    return found


def growth_of_database(
    connection: BaseDatabaseWrapper, before: dict[str, set[Any]], users: int
) -> int:
    added = {
        table: ids - before[table]
        for table, ids in ids_of_rows(connection).items()
        if ids - before[table]
    }
    if connection.vendor == "postgresql":
        # Surprise: copies that were undone leave room behind, and others would not grow the table.
        with connection.cursor() as cursor:
            for table in added:
                cursor.execute(f"VACUUM FULL {connection.ops.quote_name(table)}")
    # Nothing is checked that a commit would check: a copy may be of a user who does not exist.
    with transaction_that_is_undone(connection):
        size = size_of(connection, [*added])
        for table, ids in added.items():
            copy_rows(connection, table, ids, users)
        return size_of(connection, [*added]) - size


@contextmanager
def transaction_that_is_undone(connection: BaseDatabaseWrapper) -> Iterator[None]:
    connection.set_autocommit(False)
    try:
        yield
    finally:
        connection.rollback()
        connection.set_autocommit(True)


def copy_rows(connection: BaseDatabaseWrapper, table: str, ids: set[Any], users: int) -> None:
    """Rows of these ids, for so many users: whatever names a row or a user is another each time."""
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        names = names_of(connection, cursor, table)
        key = str(connection.introspection.get_primary_key_column(cursor, table))
        places = ", ".join("%s" for _ in ids)
        cursor.execute(
            f"SELECT * FROM {quote(table)} WHERE {quote(key)} IN ({places})",  # noqa: S608
            [*ids],
        )
        columns = [column[0] for column in cursor.description]
        rows = cursor.fetchall()
        values = ", ".join("%s" for _ in columns)
        cursor.executemany(
            f"INSERT INTO {quote(table)} VALUES ({values})",  # noqa: S608
            [
                [
                    renamed(value, number) if column in names else value
                    for column, value in zip(columns, row, strict=True)
                ]
                for number in range(users)
                for row in rows
            ],
        )


def names_of(connection: BaseDatabaseWrapper, cursor: Any, table: str) -> set[str]:
    """The columns that are unique, or name a row of another table."""
    constraints = connection.introspection.get_constraints(cursor, table).values()
    return {
        column
        for constraint in constraints
        if constraint["unique"] or constraint["primary_key"] or constraint["foreign_key"]
        for column in constraint["columns"]
    }


def renamed(value: Any, number: int) -> Any:
    """Another one of the same kind and length; the same number gives the same row its number."""
    if isinstance(value, int):
        return FAR + number * STRIDE + value % STRIDE
    return secrets.token_hex(len(value))[: len(value)] if isinstance(value, str) else value


def size_of(connection: BaseDatabaseWrapper, tables: list[str]) -> int:
    """Bytes of these tables with their indices; of SQLite, whose pages tell no table, of all."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            page, pages, free = (
                cursor.execute(f"PRAGMA {of}").fetchone()[0]
                for of in ("page_size", "page_count", "freelist_count")
            )
            return int(page * (pages - free))
        size = 0
        for table in tables:
            cursor.execute("SELECT pg_total_relation_size(%s::regclass)", [table])
            size += int(cursor.fetchone()[0])
        return size
