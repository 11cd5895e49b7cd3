"""How can a check cost no round trip and still hear of a revocation? Redis tells which keys change.

A mirror holds copies of Redis keys in this process's memory. Redis (6 or newer) announces every
change of a key under its prefixes: a write, a deletion, an expiry, whoever causes it
(`CLIENT TRACKING ON BCAST`; RESP3). One thread listens to that, on a connection of its own.

What holds, and how:

- A copy goes when its key is announced, typically within a millisecond.
- An answer that was under way when its key was announced is not kept: whoever asks leaves a
  claim first, the announcement takes the claim away, and without its claim no answer is stored.
- A mirror answers only while it is current: Redis has answered a PING that was sent less than
  `TRUST_SECONDS` ago, and what was announced before came before that answer. Otherwise, and as
  soon as the connection breaks, Redis itself is asked. So nothing is answered that has been
  untrue for longer than `TRUST_SECONDS`, whatever becomes of Redis or the network.
- Nothing outlives its connection: with the next one the mirror begins empty.

Where the server cannot do this (simulated Redis, a Cluster, an ACL that forbids it) the mirror
says so in the log, once, and Redis is asked each time.

No Django here: a service that has only the address of Redis can use it as well.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias

from redis.cluster import RedisCluster
from redis.exceptions import RedisError, ResponseError

logger = logging.getLogger("authdemo.mirror")

# redis-py's annotations cover every protocol, sync and async at once, and help nobody here.
Redis: TypeAlias = Any
Connection: TypeAlias = Any

HEARTBEAT_SECONDS = 0.5
TRUST_SECONDS = 1.5
RECONNECT_SECONDS = 0.1
UNSUPPORTED_SECONDS = 30.0
LOADED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One copy, good until that moment of `time.monotonic`. A claim was never good."""

    value: bytes | None = None
    until: float = -math.inf


class State:
    """What was copied over one connection, and until when it is current unless Redis is heard.

    `is_whole`: every key under the prefixes is among the entries; what is not, does not exist.
    """

    def __init__(self) -> None:
        self.entries: OrderedDict[str, Entry] = OrderedDict()
        self.until = -math.inf
        self.is_whole = False


class Mirror(ABC):
    """Copies of the keys under `prefixes`, `most` at most, of the Redis that `client` asks."""

    def __init__(self, client: Redis, prefixes: Sequence[str], most: int) -> None:
        self.client, self.prefixes, self.most = client, prefixes, most
        self._state = State()
        self._lock = threading.Lock()
        self._is_stopped = False
        self._said = ""

    def start(self) -> None:
        """Begin to listen. Until Redis has been heard, it is asked."""
        threading.Thread(target=self._run, name="mirror", daemon=True).start()

    def stop(self) -> None:
        """Listen no more; from now on Redis is asked."""
        self._is_stopped = True
        self._state = State()

    @property
    def is_current(self) -> bool:
        """Whether it answers without asking Redis, as far as it has copies."""
        return time.monotonic() < self._state.until

    def get(self, names: Sequence[str]) -> list[bytes | None]:
        """What Redis holds under these names, as MGET says it; from memory where it can be.

        Raises `RedisError` where Redis has to be asked and does not answer.
        """
        found = self.known(names)
        return self._ask(names) if found is None else found

    def known(self, names: Sequence[str]) -> list[bytes | None] | None:
        """The same from memory alone; None where Redis has to be asked."""
        # One state from here on: an emptied one would make absent what is merely not known.
        state, now = self._state, time.monotonic()
        if now >= state.until:
            return None
        values: list[bytes | None] = []
        for name in names:
            entry = state.entries.get(name)
            if entry is not None and now < entry.until:
                values.append(entry.value)
            elif entry is None and state.is_whole:
                values.append(None)
            else:
                return None
        return values

    def forget(self, names: Iterable[str]) -> None:
        """Drop the copies of what this process has just changed, instead of waiting to be told."""
        with self._lock:
            for name in names:
                self._drop(self._state, name)

    @abstractmethod
    def _ask(self, names: Sequence[str]) -> list[bytes | None]:
        """Ask Redis."""

    @abstractmethod
    def _drop(self, state: State, name: str) -> None:
        """Forget one copy, or the claim to it. The caller holds the lock."""

    def _fetch(self, names: Sequence[str]) -> tuple[list[bytes | None], list[Entry | None]]:
        """The values, and what may be kept of each: None for what Redis does not have."""
        before = time.monotonic()
        pipe = self.client.pipeline(transaction=False)
        pipe.mget(names)
        for name in names:
            pipe.pttl(name)
        values, *lives = pipe.execute()
        entries = [
            # A key that expires is announced when Redis notices, which may be later.
            Entry(value, before + life / 1000 if life >= 0 else math.inf)
            if value is not None and life != -2
            else None
            for value, life in zip(values, lives, strict=True)
        ]
        return values, entries

    def _store(self, state: State, name: str, claim: Entry, entry: Entry | None) -> None:
        """Put an entry in the place of the claim that waits for it, or nothing. Under the lock."""
        if state.entries.get(name) is not claim:
            return
        if entry is None:
            del state.entries[name]
        else:
            state.entries[name] = entry

    # --- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._is_stopped:
            pause = RECONNECT_SECONDS
            connection = None
            try:
                connection = listening_connection(self.client)
                self._listen(connection)
            except (ResponseError, Unsupported) as error:
                self._say(f"Redis cannot announce changes and is asked each time ({error})")
                pause = UNSUPPORTED_SECONDS
            except (RedisError, OSError) as error:
                self._say(f"not connected ({type(error).__name__}); Redis is asked")
            finally:
                self._state = State()
                if connection is not None:
                    connection.disconnect()
            time.sleep(pause)

    def _listen(self, connection: Connection) -> None:
        """Follow what Redis announces. Returns when all keys were deleted, or at `stop`."""
        connection.connect()
        connection._parser.set_invalidation_push_handler(self._announced)
        prefixes = [word for prefix in self.prefixes for word in ("PREFIX", prefix)]
        connection.send_command("CLIENT", "TRACKING", "ON", "BCAST", *prefixes)
        self._wait_for(b"OK", connection)
        # From here on every change is announced, so that from here on copies can be made.
        self._state = state = State()
        self._load(state)
        while self._state is state and not self._is_stopped:
            sent = time.monotonic()
            connection.send_command("PING")
            self._wait_for(b"PONG", connection)
            self._reload(state)
            state.until = sent + TRUST_SECONDS
            self._say("in use")
            self._hear(state, connection, until=sent + HEARTBEAT_SECONDS)

    def _wait_for(self, answer: bytes, connection: Connection) -> None:
        """Hear what is announced before the answer; raises the error that is the answer."""
        while connection.read_response(push_request=True, timeout=TRUST_SECONDS) != answer:
            pass

    def _hear(self, state: State, connection: Connection, *, until: float) -> None:
        while self._state is state and (left := until - time.monotonic()) > 0:
            if not connection.can_read(left):
                return
            connection.read_response(push_request=True, timeout=TRUST_SECONDS)
            if not connection.can_read(0):
                self._reload(state)

    def _announced(self, message: list[Any]) -> None:
        names = message[1]
        if names is None:  # FLUSHDB and FLUSHALL name nothing
            self._state = State()
            return
        self.forget(name.decode(errors="replace") for name in names)

    def _load(self, state: State) -> None:
        """Copy what must be known from the beginning."""

    def _reload(self, state: State) -> None:
        """Copy again what was announced."""

    def _say(self, what: str) -> None:
        if what != self._said:
            self._said = what
            logger.info("mirror of %s: %s", ", ".join(self.prefixes), what)


class Copies(Mirror):
    """A mirror of what was asked for: an answer is kept until its key changes.

    The least recently used go first. What Redis does not have is not kept: names that somebody
    makes up shall not push out those in use.
    """

    def known(self, names: Sequence[str]) -> list[bytes | None] | None:
        found = super().known(names)
        if found is not None:
            with suppress(KeyError):  # announced in this moment
                for name in names:
                    self._state.entries.move_to_end(name)
        return found

    def _ask(self, names: Sequence[str]) -> list[bytes | None]:
        state = self._state
        if time.monotonic() >= state.until:
            return self.client.mget(names)
        claims = {name: Entry() for name in names}
        entries: Sequence[Entry | None] = [None] * len(names)
        with self._lock:
            state.entries.update(claims)
        try:
            values, entries = self._fetch(names)
        finally:
            with self._lock:
                for name, entry in zip(names, entries, strict=True):
                    self._store(state, name, claims[name], entry)
                while len(state.entries) > self.most:
                    state.entries.popitem(last=False)
        return values

    def _drop(self, state: State, name: str) -> None:
        state.entries.pop(name, None)


class Whole(Mirror):
    """A mirror of all there is: it also knows, without asking, what does not exist.

    For few keys that matter by being there, such as a denylist. With more than `most` of them it
    stops being one, says so, and Redis is asked.
    """

    def __init__(self, client: Redis, prefixes: Sequence[str], most: int) -> None:
        super().__init__(client, prefixes, most)
        self._changed: set[str] = set()

    def _ask(self, names: Sequence[str]) -> list[bytes | None]:
        return self.client.mget(names)

    def _drop(self, state: State, name: str) -> None:
        # Not just taken out, which would mean that it does not exist.
        state.entries[name] = Entry()
        self._changed.add(name)

    def _load(self, state: State) -> None:
        self._changed.clear()
        state.is_whole = True
        names = (
            name.decode(errors="replace")
            for prefix in self.prefixes
            for name in self.client.scan_iter(match=f"{prefix}*", count=LOADED_AT_ONCE)
        )
        for name in names:
            with self._lock:
                self._drop(state, name)
            if len(self._changed) >= LOADED_AT_ONCE:
                self._reload(state)
        self._reload(state)

    def _reload(self, state: State) -> None:
        while self._changed and state.is_whole:
            with self._lock:
                names = list(self._changed)[:LOADED_AT_ONCE]
                self._changed.difference_update(names)
                claims = [state.entries[name] for name in names]
            entries = self._fetch(names)[1]
            with self._lock:
                for name, claim, entry in zip(names, claims, entries, strict=True):
                    self._store(state, name, claim, entry)
            if len(state.entries) > self.most:
                state.is_whole = False
                self._say(f"more than {self.most} keys; Redis is asked")


class Unsupported(Exception):
    """There is no single server to listen to."""


def listening_connection(client: Redis) -> Connection:
    """A connection like those that the client uses, in RESP3 and for one reader alone."""
    if isinstance(client, RedisCluster):
        raise Unsupported("a Cluster")
    pool = client.connection_pool
    return pool.connection_class(**{**pool.connection_kwargs, "protocol": 3})


class InThisProcess:
    """The mirror of this process, made when it is first needed.

    `of` gives the one for a client. Neither thread nor connection survives a fork, so that a
    child makes its own; and so does a process whose settings name another Redis.
    """

    def __init__(self, kind: type[Mirror], *prefixes: str, most: int) -> None:
        self._make: Callable[[Redis], Mirror] = lambda client: kind(client, prefixes, most)
        self._begin_anew()
        os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()
        self._mirror: Mirror | None = None

    def forget(self, names: Iterable[str]) -> None:
        """Drop copies, if there is a mirror that could have any."""
        if self._mirror is not None:
            self._mirror.forget(names)

    def of(self, client: Redis) -> Mirror:
        mirror = self._mirror
        if mirror is not None and mirror.client.connection_pool is client.connection_pool:
            return mirror
        with self._lock:
            mirror = self._mirror
            if mirror is None or mirror.client.connection_pool is not client.connection_pool:
                if mirror is not None:
                    mirror.stop()
                mirror = self._mirror = self._make(client)
                mirror.start()
            return mirror
