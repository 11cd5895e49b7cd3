"""How is Redis asked for the one thing that a request needs of it? In half the time redis-py takes.

By its own connections, and by two of their methods, so that timeouts, TLS, AUTH and errors are as
they are. What is left out is what stands around them: a pool behind a lock, a retry that is
switched off here, and six reports to metrics that nobody has asked for. What the pool looks after
before it hands a connection out is looked after here as well.
"""

from __future__ import annotations

import os
from collections import deque
from typing import Any

from redis import Redis
from redis.commands.helpers import list_or_args
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import TimeoutError as Late
from redis.sentinel import SentinelConnectionPool


class QuickReadRedis(Redis):
    """redis-py's client, with a quick `mget`. django-redis makes it: REDIS_CLIENT_CLASS.

    It keeps as many connections for it as threads have ever read at once, and asks no second time.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._idle: deque[Any] = deque()

    def mget(self, keys: Any, *args: Any) -> Any:
        """Return what stands under each of these keys, None for nothing. Raises `RedisError`."""
        if isinstance(self.connection_pool, SentinelConnectionPool):
            # It knows which of its connections lead to the master of yesterday.
            return super().mget(keys, *args)
        names = list_or_args(keys, args)
        if not names:
            return []
        connection = self._connected()
        try:
            connection.send_command("MGET", *names)
            values = connection.read_response()
        except BaseException:
            connection.disconnect()
            raise
        # Only now. Threat: an answer that still comes is taken for that to the next question.
        self._idle.append(connection)
        return values

    def close(self) -> None:
        super().close()
        while self._idle:
            self._idle.pop().disconnect()

    def _connected(self) -> Any:
        """A connection that nobody else uses, and on which nothing is left to be read."""
        connection = self._taken()
        if not connection.is_connected:
            connection.connect()
        try:
            # What can be read is the end of a connection that Redis has closed, or an answer that
            # was not waited for.
            if not connection.can_read():
                return connection
        except (Lost, Late, OSError):
            pass
        connection.disconnect()
        connection.connect()
        return connection

    def _taken(self) -> Any:
        try:
            connection = self._idle.pop()  # atomic, as `append` is
        except IndexError:
            return self._new()
        # After a fork the one that we have is our parent's, who reads from it.
        return connection if connection.pid == os.getpid() else self._new()

    def _new(self) -> Any:
        """Not one of the pool's: it would be counted there, and never come back."""
        pool = self.connection_pool
        return pool.connection_class(**pool.connection_kwargs)
