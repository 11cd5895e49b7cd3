"""What has changed in Redis? Redis says so itself, over a connection that is kept for that.

`CLIENT TRACKING ON BCAST` has Redis (6 or newer; RESP3) announce every change of a key under some
prefixes: a write, a deletion, an expiry, an eviction, whoever causes it, in whichever database.
SWAPDB is not announced.
"""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from redis.cluster import RedisCluster
from redis.exceptions import RedisError, ResponseError, TimeoutError
from redis.maint_notifications import MaintNotificationsConfig

# redis-py's annotations cover every protocol, sync and async at once, and help nobody here.
Redis: TypeAlias = Any
Connection: TypeAlias = Any

PATIENCE_SECONDS = 1.5
YIELD_SECONDS = 0.0002

# Surprise: on Linux and macOS `time.monotonic` stands still while the machine sleeps. What was
# current when a laptop's lid was closed would still be so when it is opened.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
now: Callable[[], float] = time.monotonic if _CLOCK is None else partial(time.clock_gettime, _CLOCK)
"""Seconds that have passed, those in which the machine slept included."""


class Unsupported(Exception):
    """This Redis cannot announce changes, and will not learn it soon."""


class Moved(RedisError):
    """The client's connections lead to another server by now."""


class AllDeleted(RedisError):
    """FLUSHDB and FLUSHALL name nothing."""


class Announcements:
    """A connection like those of `client`, over which Redis announces. One thread listens.

    Raises `Unsupported` where Redis cannot do this, `AllDeleted` when it says so, and other
    kinds of `RedisError`, or `OSError`, where it is away.
    """

    def __init__(self, client: Redis, prefixes: Sequence[str]) -> None:
        if isinstance(client, RedisCluster):
            raise Unsupported("a Cluster has many servers")
        self._pool = client.connection_pool
        self._connection = _connection_like(self._pool)
        self._is_reading = False
        self._asked: float | None = None
        self.heard_until = -math.inf
        """A moment of `now`: all that was announced before it has been heard."""
        try:
            self._connection.connect()
            # redis-py logs what a handler raises and goes on, as if it had been heard. So that
            # this one only hands on; and older versions of hiredis hand on without it.
            self._connection._parser.set_invalidation_push_handler(lambda message: message)
            words = [word for prefix in prefixes for word in ("PREFIX", prefix)]
            self._connection.send_command("CLIENT", "TRACKING", "ON", "BCAST", *words)
            while self._read() != b"OK":
                pass  # there are no copies yet
        except ResponseError as error:
            self.close()
            if str(error).startswith("BUSY"):  # a script runs
                raise
            raise Unsupported(str(error)) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._connection.disconnect()

    def close_in_child(self) -> None:
        """Let go of what a fork has copied; the parent's connection goes on.

        Threat: Redis keeps what it announces to a connection that some process holds open and
        nobody reads, without limit.
        """
        if (connected := self._connection._sock) is not None:
            connected.close()

    def ask(self) -> None:
        """Have Redis say that it is there. What it announces before that is heard before that."""
        # The pool of a Sentinel may know a new master, while the old one still answers.
        if not self._pool.owns_connection(self._connection):
            raise Moved("another master")
        if self._asked is None:
            self._asked = now()
            self._connection.send_command("PING")
        elif now() > self._asked + PATIENCE_SECONDS:
            # One that cannot keep up begins anew, rather than let buffers grow at both ends.
            raise TimeoutError("no answer, or announcements come faster than they are heard")

    def wait(self, until: float) -> bool:
        """Wait until there is something to hear, or until that moment of `now`."""
        return (left := until - now()) > 0 and _is_readable(self._connection._sock, left)

    def hear(self, heard: Callable[[list[str]], None], until: float) -> None:
        """Hand on the names of the keys that are announced, all that has come by now."""
        self._is_reading = True
        while self._connection.can_read(0):
            heard(self._names(self._read()))
            if now() > until:
                return
        self._is_reading = False

    def are_unheard(self) -> bool:
        """Whether something has come that was not handed on yet. For any thread.

        Threat: the thread that listens may have to wait for the interpreter's lock, and each
        busy thread keeps it for five milliseconds. What has come must not wait as long.
        """
        if not self._has_unheard():
            return False
        # Mostly it is the answer to a heartbeat. Let the other thread have it, and look again.
        time.sleep(YIELD_SECONDS)
        return self._has_unheard()

    def _has_unheard(self) -> bool:
        # In this order: what is no longer there to be read is being taken in, or was.
        return _is_readable(self._connection._sock, 0) or self._is_reading

    def _read(self) -> Any:
        return self._connection.read_response(push_request=True, timeout=PATIENCE_SECONDS)

    def _names(self, said: Any) -> list[str]:
        if said == b"PONG" and self._asked is not None:
            self.heard_until, self._asked = self._asked, None
        if not isinstance(said, list) or said[0] != b"invalidate":
            return []
        if said[1] is None:
            raise AllDeleted
        # Whoever asks, asks in UTF-8: nobody has a copy of a key that is no text.
        return [name.decode(errors="replace") for name in said[1]]


def _is_readable(connected: Any, seconds: float) -> bool:
    """Whether there is something to read, be it the end; nothing is read."""
    try:
        if not hasattr(select, "poll"):  # Windows
            return bool(select.select([connected], [], [], seconds)[0])
        poll = select.poll()
        poll.register(connected, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    except (OSError, TypeError, ValueError):
        return True  # closed


def _connection_like(pool: Any) -> Connection:
    changed: dict[str, Any] = {
        "protocol": 3,
        "decode_responses": False,
        "socket_timeout": PATIENCE_SECONDS,
        "socket_connect_timeout": PATIENCE_SECONDS,
        # Threat: a health check or a retry connects anew, without a word. Redis answers PING on
        # the new connection, and announces nothing on it.
        "health_check_interval": 0,
        "retry": None,
        "retry_on_error": [],
        "retry_on_timeout": False,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        "maint_notifications_pool_handler": None,
    }
    return pool.connection_class(**{**pool.connection_kwargs, **changed})
