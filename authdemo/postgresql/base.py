"""What bounds the wait for a PostgreSQL that stands still? Nothing of libpq, so this does.

Surprise: the kernel of a machine that lives acknowledges and answers keepalives for a process that
was stopped, or that waits for a dead disk; and the server's own timeouts are its own to notice.
"""

from functools import partial
from typing import Any

from django.db.backends.postgresql import base
from psycopg import Connection, OperationalError
from psycopg.errors import _WaitTimeout

from authdemo.postgresql.patience import left, patience


class DatabaseWrapper(base.DatabaseWrapper):
    """A statement without an answer is an OperationalError, and the last one of its request."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        # Else who has waited once would wait again to write down that it was in vain.
        if (kept := left()) and kept.is_over:
            raise OperationalError("the server did not answer within this request")
        try:
            connection = super().get_new_connection(conn_params)
        except OperationalError:
            if kept:
                kept.is_over = True
            raise
        connection.wait = partial(wait, connection)
        return connection

    def is_usable(self) -> bool:
        kept = left()
        if kept is None:
            return super().is_usable()
        # A quarter: in vain, it is followed by the wait for a new connection.
        with patience(kept.seconds / 4):
            return super().is_usable()


def wait(connection: Connection[Any], generator: Any, *arguments: Any, **named: Any) -> Any:
    """Do as psycopg's `Connection.wait`, and give up when the patience of the request is over."""
    kept = left()
    if kept is None:
        return Connection.wait(connection, generator, *arguments, **named)
    bounded = {"timeout": kept.seconds} | named
    try:
        return Connection.wait(connection, generator, *arguments, **bounded)
    except _WaitTimeout as error:
        kept.is_over = True
        connection.close()  # it may still be answered, and the answer be taken for the next one's
        raise OperationalError(f"no answer within {kept.seconds} seconds") from error
