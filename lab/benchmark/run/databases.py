"""Where do the measured sites keep their rows? In databases of their own, which are gone after it.

SQLite files, or, where DATABASE_URL names a PostgreSQL, new databases on that server. The one that
DATABASE_URL names is not touched.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from django.conf import settings
from django.db import DatabaseError, connections

from lab.staging.processes import StageError


@contextmanager
def private_databases(folder: Path, names: list[str]) -> Iterator[dict[str, str]]:
    """The URL of a database for each name, dropped after the block."""
    if connections["default"].vendor == "sqlite":
        yield {name: f"sqlite:///{folder}/{name}.sqlite3" for name in names}
        return
    run = secrets.token_hex(4)
    made = {name: f"authdemo_benchmark_{run}_{name.replace('-', '_')}" for name in names}
    try:
        execute(*(f'CREATE DATABASE "{database}"' for database in made.values()))
        yield {name: url_of(database) for name, database in made.items()}
    finally:
        execute(*(f'DROP DATABASE IF EXISTS "{database}"' for database in made.values()))


def execute(*statements: str) -> None:
    """Raises `StageError` if this user may not, or nobody answers."""
    try:
        with connections["default"]._nodb_cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    except DatabaseError as error:
        raise StageError(
            f"The benchmark makes databases of its own beside that of DATABASE_URL: {error}"
        ) from error


def url_of(database: str) -> str:
    """DATABASE_URL with another name in it."""
    chosen: dict[str, Any] = connections["default"].settings_dict
    user = quote(chosen["USER"], safe="")
    password = f":{quote(chosen['PASSWORD'], safe='')}" if chosen["PASSWORD"] else ""
    # The path of a socket's folder stands where a host would, quoted.
    host = quote(chosen["HOST"], safe="")
    port = f":{chosen['PORT']}" if chosen["PORT"] else ""
    # Those that stood in the URL; the others are the settings' own.
    usual = settings.DATABASE_OPTIONS.get(chosen["ENGINE"], {})
    options = {name: value for name, value in chosen["OPTIONS"].items() if name not in usual}
    query = f"?{urlencode(options)}" if options else ""
    return f"postgres://{user}{password}@{host}{port}/{database}{query}"


def described() -> str:
    """Which kind of database it is, and its version."""
    connection = connections["default"]
    if connection.vendor == "sqlite":
        from sqlite3 import sqlite_version

        return f"SQLite {sqlite_version}, WAL"
    connection.ensure_connection()
    number = ".".join(map(str, connection.get_database_version()))
    return f"{connection.display_name} {number}"
