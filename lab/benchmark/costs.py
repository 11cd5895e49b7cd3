"""What does a request cost the stores? SQL statements and Redis commands, where they arrive."""

import secrets
from collections import Counter
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
    """Fill in the cost of what happens inside."""
    cost = Cost()
    with commands_sent(redis) as sent, CaptureQueriesContext(connection) as queries:
        yield cost
    statements = [query["sql"] for query in queries.captured_queries]
    cost.sql += [sql for sql in statements if not sql.startswith(FRAMES)]
    cost.redis.update(sent)


@contextmanager
def commands_sent(redis: Any) -> Iterator[Counter[str]]:
    """Count the commands that reach this Redis while inside, by name, as `MONITOR` tells of them.

    Of all its clients: nobody else may use it meanwhile. A script is one command, whatever it runs
    inside of the server: nobody waits for an answer to any of that.
    """
    sent: Counter[str] = Counter()
    with redis.monitor() as monitor:
        yield sent
        last = f"counted until here {secrets.token_hex(8)}"
        redis.echo(last)
        for told in monitor.listen():
            name = told["command"].partition(" ")[0].lower()
            if name == "echo" and last in told["command"]:
                return
            if told["client_type"] != "lua" and name not in NOT_OURS:
                sent[name] += 1
