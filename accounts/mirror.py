"""How can a check cost no round trip and still hear of a revocation? Redis tells which keys change.

A mirror holds copies of Redis keys in this process's memory. One thread listens to what Redis
announces about the keys under its prefixes (`accounts.announcements`).

What holds, and how:

- A copy goes when its key is announced. What has reached this machine and was not heard yet sends
  the check to Redis: no busy thread holds a revocation up. (Redis announces a change before it
  answers whoever made it; so that with Redis on the same machine, no check that begins after
  that answer sees the old value.)
- An answer that was under way when its key was announced is not kept: whoever asks leaves a
  claim first, the announcement takes the claim away, and without its claim no answer is stored.
- A mirror answers only while it is current: Redis has answered a PING that was sent less than
  `TRUST_SECONDS` ago, and what was announced before came before that answer. Otherwise, and as
  soon as the connection breaks, Redis itself is asked. So nothing is answered that has been
  untrue for longer than `TRUST_SECONDS`, whatever becomes of Redis, the network or this process.
- Redis announces that a key has expired when it notices, which may be late. A copy has the key's
  deadline, and goes by itself.
- Nothing outlives its connection: with the next one the mirror begins empty.

Not covered: SWAPDB, which Redis does not announce; a replica that has lost its master and is asked
all the same, which is as wrong when it is asked; a virtual machine that is halted, whose clocks
stand still, for what is not heard within `TRUST_SECONDS` after it goes on.

Where the server cannot do this (simulated Redis, a Cluster, an ACL that forbids it) the mirror
says so in the log, once, and Redis is asked each time.

No Django here: a service that has only the address of Redis can use it as well.
"""

from __future__ import annotations

import logging
import math
import os
import re
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial

from redis.exceptions import NoPermissionError, RedisError

from accounts.announcements import Announcements, Redis, Unsupported, now

logger = logging.getLogger("authdemo.mirror")

HEARTBEAT_SECONDS = 0.5
TRUST_SECONDS = 1.5
RECONNECT_SECONDS = 0.1
UNSUPPORTED_SECONDS = 30.0
LOADED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One copy, good until that moment of `now`. A claim was never good."""

    value: bytes | None = None
    until: float = -math.inf


class State:
    """What was copied over one connection, and until when it is current unless Redis is heard.

    `is_whole`: every key under the prefixes is among the entries; what is not, does not exist.
    `changed`: those whose entries are claims, in a mirror of all there is.
    """

    def __init__(self) -> None:
        self.told: Announcements | None = None
        self.entries: OrderedDict[str, Entry] = OrderedDict()
        self.until = -math.inf
        self.is_whole = False
        self.changed: set[str] = set()


class Mirror(ABC):
    """Copies of the keys under `prefixes`, `most` at most, of the Redis that `client` asks."""

    def __init__(self, client: Redis, prefixes: Sequence[str], most: int) -> None:
        self.client, self.prefixes, self.most = client, prefixes, most
        self._state = State()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._told: Announcements | None = None
        self._said = ""

    def start(self) -> None:
        """Begin to listen. Until Redis has been heard, it is asked."""
        threading.Thread(target=self._run, name="mirror", daemon=True).start()

    def stop(self) -> None:
        """Listen no more; from now on Redis is asked."""
        self._stopped.set()
        self._state = State()

    def abandon(self) -> None:
        """Leave it to the parent, in a child that a fork has just made."""
        if self._told is not None:
            self._told.close_in_child()

    @property
    def is_current(self) -> bool:
        """Whether it answers without asking Redis, as far as it has copies."""
        return now() < self._state.until

    def get(self, names: Sequence[str]) -> list[bytes | None]:
        """What Redis holds under these names, as MGET says it; from memory where it can be.

        Raises `RedisError` where Redis has to be asked and does not answer.
        """
        found = self.known(names)
        return self._ask(names) if found is None else found

    def known(self, names: Sequence[str]) -> list[bytes | None] | None:
        """The same from memory alone; None where Redis has to be asked."""
        # One state from here on: an emptied one would make absent what is merely not known.
        state = self._state
        # Not after: what is heard between the two would be in neither.
        if state.told is None or state.told.are_unheard():
            return None
        entries = [state.entries.get(name) for name in names]
        # Not before: this process may have stood still meanwhile.
        moment = now()
        if moment >= state.until:
            return None
        values: list[bytes | None] = []
        for entry in entries:
            if entry is not None and moment < entry.until:
                values.append(entry.value)
            elif entry is None and state.is_whole:
                values.append(None)
            else:
                return None
        return values

    def forget(self, names: Iterable[str]) -> None:
        """Drop the copies of what this process has just changed, instead of waiting to be told."""
        with self._lock:
            state = self._state
            for name in names:
                self._drop(state, name)

    @abstractmethod
    def _ask(self, names: Sequence[str]) -> list[bytes | None]:
        """Ask Redis."""

    @abstractmethod
    def _drop(self, state: State, name: str) -> None:
        """Forget one copy, or the claim to it. The caller holds the lock."""

    def _fetch(self, names: Sequence[str]) -> tuple[list[bytes | None], list[Entry | None]]:
        """The values, and what may be kept of each: None for what Redis does not have."""
        before = now()
        pipe = self.client.pipeline(transaction=False)
        pipe.mget(names)
        for name in names:
            pipe.pttl(name)
        values, *lives = pipe.execute()
        entries = [
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
        pause = 0.0
        while not self._stopped.wait(pause):
            pause = RECONNECT_SECONDS
            try:
                with closing(Announcements(self.client, self.prefixes)) as self._told:
                    self._listen(self._told)
            except (Unsupported, NoPermissionError) as error:
                self._say(f"Redis is asked each time: {error}")
                pause = UNSUPPORTED_SECONDS
            except (RedisError, OSError) as error:
                self._say(f"Redis is asked until it is heard again: {type(error).__name__}")
            except Exception:
                # Nobody else would notice, and requests would be slow for ever.
                logger.exception("mirror of %s: Redis is asked", ", ".join(self.prefixes))
                pause = UNSUPPORTED_SECONDS
            finally:
                # Threat: what was revoked while nobody listened is never announced.
                self._state = State()

    def _listen(self, told: Announcements) -> None:
        """Follow what Redis announces, until `stop`."""
        # From here on every change is announced, so that from here on copies can be made.
        state = self._state
        state.told = told
        self._load(state)
        while not self._stopped.is_set():
            told.ask()
            heartbeat = now() + HEARTBEAT_SECONDS
            while told.wait(heartbeat):
                told.hear(partial(self._hear, state), heartbeat)
                state.until = told.heard_until + TRUST_SECONDS
                self._reload(state)
                if self.is_current:
                    self._say("in use")
            self._reload(state)

    def _hear(self, state: State, names: list[str]) -> None:
        with self._lock:
            for name in names:
                self._drop(state, name)

    def _load(self, state: State) -> None:
        """Copy what must be known from the beginning; at least, see that it may be copied."""
        self._fetch(self.prefixes[:1])

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
        if now() >= state.until:  # it would fill with what nobody may use
            return self.client.mget(names)
        entries: Sequence[Entry | None] = [None] * len(names)
        with self._lock:
            # Whoever asks meanwhile shares the claim. With one for each, those who ask for the
            # same name in turn would take it from one another, and no answer were ever kept.
            claims = [state.entries.setdefault(name, Entry()) for name in names]
        try:
            values, entries = self._fetch(names)
        finally:
            with self._lock:
                for name, claim, entry in zip(names, claims, entries, strict=True):
                    self._store(state, name, claim, entry)
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

    def _ask(self, names: Sequence[str]) -> list[bytes | None]:
        return self.client.mget(names)

    def _drop(self, state: State, name: str) -> None:
        if state.is_whole:
            # Not just taken out, which would mean that it does not exist.
            state.entries[name] = Entry()
            state.changed.add(name)

    def _hear(self, state: State, names: list[str]) -> None:
        super()._hear(state, names)
        if len(state.entries) > self.most:
            raise Unsupported(f"more than {self.most} keys")

    def _load(self, state: State) -> None:
        state.is_whole = True
        for prefix in self.prefixes:
            pattern = re.sub(r"([*?\[\]\\])", r"\\\1", prefix) + "*"
            for name in self.client.scan_iter(match=pattern, count=LOADED_AT_ONCE):
                self._hear(state, [name.decode(errors="replace")])
                if len(state.changed) >= LOADED_AT_ONCE:
                    self._reload(state)
        self._reload(state)

    def _reload(self, state: State) -> None:
        with self._lock:
            claims = [(name, state.entries[name]) for name in state.changed]
            state.changed.clear()
        while claims:
            some, claims = claims[:LOADED_AT_ONCE], claims[LOADED_AT_ONCE:]
            entries = self._fetch([name for name, _ in some])[1]
            with self._lock:
                for (name, claim), entry in zip(some, entries, strict=True):
                    self._store(state, name, claim, entry)


class InThisProcess:
    """The mirror of this process, made when it is first needed.

    `of` gives the one for a client. Neither thread nor connection survives a fork, so that a
    child makes its own; and so does a process whose settings name another Redis.
    """

    def __init__(self, kind: type[Mirror], *prefixes: str, most: int) -> None:
        self._make: Callable[[Redis], Mirror] = lambda client: kind(client, prefixes, most)
        self._lock = threading.Lock()
        self._mirror: Mirror | None = None
        if hasattr(os, "register_at_fork"):  # Windows has no fork
            os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        if self._mirror is not None:
            self._mirror.abandon()
        self._lock = threading.Lock()
        self._mirror = None

    def stop(self) -> None:
        """Listen no more, until somebody asks again."""
        with self._lock:
            if self._mirror is not None:
                self._mirror.stop()
                self._mirror = None

    def forget(self, names: Iterable[str]) -> None:
        """Drop copies, if there is a mirror that could have any."""
        if (mirror := self._mirror) is not None:
            mirror.forget(names)

    def of(self, client: Redis) -> Mirror:
        mirror = self._mirror
        if mirror is not None and _asks_the_same(mirror.client, client):
            return mirror
        with self._lock:
            mirror = self._mirror
            if mirror is None or not _asks_the_same(mirror.client, client):
                if mirror is not None:
                    mirror.stop()
                mirror = self._mirror = self._make(client)
                mirror.start()
            return mirror


def _asks_the_same(one: Redis, other: Redis) -> bool:
    return one is other or getattr(one, "connection_pool", one) is getattr(
        other, "connection_pool", other
    )
