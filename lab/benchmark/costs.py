"""What does a request cost the stores? SQL statements and Redis commands, where they arrive."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

# What frames a transaction is not counted: its number depends on who sends the request.
FRAMES = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")
# What a connection says of itself, and what counting takes.
NOT_OURS = {"hello", "auth", "select", "client", "ping", "info", "config", "command"}


@dataclass
class Cost:
    sql: list[str] = field(default_factory=list)
    redis: dict[str, int] = field(default_factory=dict)


@contextmanager
def measured(redis: Any) -> Iterator[Cost]:
    """Fill in the cost of what happens inside: the server's own count of its commands.

    The count is the server's, of all its clients: nobody else may use that Redis meanwhile.
    """
    cost = Cost()
    before = _commands(redis)
    with CaptureQueriesContext(connection) as queries:
        yield cost
    statements = [query["sql"] for query in queries.captured_queries]
    cost.sql += [sql for sql in statements if not sql.startswith(FRAMES)]
    spent = {name: n - before.get(name, 0) for name, n in _commands(redis).items()}
    cost.redis.update({name: n for name, n in spent.items() if n and name not in NOT_OURS})


def _commands(redis: Any) -> dict[str, int]:
    return {
        name.removeprefix("cmdstat_").partition("|")[0]: stat["calls"]
        for name, stat in redis.info("commandstats").items()
    }
