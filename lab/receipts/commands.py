"""Which Redis commands does a request send? Listened to where redis-py writes them.

At the class that all of its connections have in common, because a site has many: those of pools
made before anybody listened, of Sentinel and Cluster clients, over sockets of three kinds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache, wraps
from typing import Any

from redis.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
)
from redis.exceptions import ConnectionError as Lost
from redis.exceptions import TimeoutError as Late

from accounts.if_unchanged import SCRIPT, parts_of
from lab.benchmark.costs import NOT_OURS
from lab.receipts.recording import Recording, Step, current, now

# The names of our keys: `session:{7}:…`, `login-limit:account:…`, `denied:since`.
KEY = re.compile(r"[a-z-]+:[\w{}:.-]+", re.ASCII)
LONG_PART = re.compile(r"([\w-]{4})[\w-]{13,}", re.ASCII)
# Options and numbers: NX, EX, 300, -1. No secret is as short.
PLAIN = re.compile(r"[\w.+*-]{1,12}", re.ASCII)


def text_of(args: Iterable[Any]) -> str:
    """A command as a reader needs it: its name, its keys without their digests, no values.

    Threat: the value under a session's key tells who was logged in from where, and a digest finds
    its row in a copy of Redis.
    """
    name, *rest = args
    said = _plain(name).upper()
    if said == "EVAL" and rest[0] == SCRIPT:
        return f"EVAL {_compared_and_run(rest)}"
    return " ".join([said, *(_shown(each) for each in rest)])


def _compared_and_run(words: list[Any]) -> str:
    names, commands = parts_of(words)
    compared = ", ".join(map(_shown, names))
    return f"if unchanged: {compared}; then {'; '.join(map(text_of, commands))}"


def _shown(argument: Any) -> str:
    text = _plain(argument)
    if KEY.fullmatch(text):
        return LONG_PART.sub(r"\1…", text)
    return text if PLAIN.fullmatch(text) else f"<{len(text)} bytes>"


def _plain(argument: Any) -> str:
    return argument.decode("latin-1") if isinstance(argument, bytes) else str(argument)


def _begin(recording: Recording, connection: Any, args: tuple[Any, ...]) -> None:
    """Note a command, and that its reply is the next one to come on this connection but those
    that were sent before it.
    """
    # What a connection says of itself is not the request's, and AUTH carries a password.
    is_ours = _plain(args[0]).partition(" ")[0].lower() not in NOT_OURS
    step = recording.begin("redis", text_of(args)) if is_ours else None
    _waiting(recording, connection).append(step)


def _waiting(recording: Recording, connection: Any) -> list[Step | None]:
    return recording.waiting.setdefault(id(connection), [])


def _replied(recording: Recording, connection: Any, *, to_all: bool = False) -> None:
    waiting = _waiting(recording, connection)
    for step in waiting if to_all else waiting[:1]:
        if step is not None:
            step.ended = now()
    del waiting[: None if to_all else 1]


@cache
def listen() -> None:
    """Have redis-py tell of its commands from now on, wherever a recording asks for them. Once."""
    for name, listener in LISTENERS.items():
        setattr(AbstractConnection, name, listener(getattr(AbstractConnection, name)))
    for kind in (Connection, SSLConnection, UnixDomainSocketConnection):
        kind._connect = _connection(kind._connect)  # type: ignore[method-assign]


def _send_command(send: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(send)
    def send_command(self: Any, *args: Any, **options: Any) -> Any:
        recording = current.get()
        if recording is None:
            return send(self, *args, **options)
        _begin(recording, self, args)
        try:
            return send(self, *args, **options)
        except (Lost, Late):
            _replied(recording, self, to_all=True)
            raise

    return send_command


def _pack_commands(pack: Callable[..., Any]) -> Callable[..., Any]:
    """A pipeline packs all of its commands at once, and sends them in the next moment."""

    @wraps(pack)
    def pack_commands(self: Any, commands: Any) -> Any:
        recording = current.get()
        if recording is None:
            return pack(self, commands)
        commands = list(commands)
        for args in commands:
            _begin(recording, self, args)
        return pack(self, commands)

    return pack_commands


def _read_response(read: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(read)
    def read_response(self: Any, *args: Any, **options: Any) -> Any:
        recording = current.get()
        if recording is None:
            return read(self, *args, **options)
        is_lost = False
        try:
            return read(self, *args, **options)
        except (Lost, Late):
            is_lost = True
            raise
        finally:
            _replied(recording, self, to_all=is_lost)

    return read_response


def _connection(made: Callable[..., Any]) -> Callable[..., Any]:
    """A Redis that is away is asked nothing; that nobody was there is worth a line."""

    @wraps(made)
    def connection(self: Any, *args: Any, **options: Any) -> Any:
        recording = current.get()
        if recording is None:
            return made(self, *args, **options)
        began = now()
        try:
            return made(self, *args, **options)
        except Exception as error:
            step = Step("redis", f"(no connection: {type(error).__name__})", began, now())
            recording.steps.append(step)
            raise

    return connection


LISTENERS = {
    "send_command": _send_command,
    "pack_commands": _pack_commands,
    "read_response": _read_response,
    "on_connect_check_health": _connection,  # the first words on a new one
}
