"""What does the site do while a store is away? This takes one away, and brings it back by itself.

A process of its own, so that no worker has to live until the end: the lab starts it from its page,
and a person from a terminal. `OUTAGE_FILE` says what is going on until the store is back. It ends
early when whoever started it dies, and when a file beside that one, `.end`, asks for it. Were it
killed itself, whoever started it runs `outage back`.
"""

import json
import os
import signal
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import redis
from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection, transaction

from authdemo import embedded_redis
from authdemo.file_lock import open_lock, try_lock

MOST_SECONDS = 30
LOOK_SECONDS = 0.05
# Three times the look, so that the next one is asked for in time. Redis looks ten times a second
# whether a pause is over: this makes it 0.2 s.
MOMENT_MILLISECONDS = 150
BACK = "back"
Act = Callable[[], None]
NOT_OURS = (
    "Only the private Redis of this checkout can be taken away, and REDIS_URL names another one."
)


class Command(BaseCommand):
    help = "Take a store away for some seconds: for the lab, and never for a public site."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "kind",
            choices=[*KINDS, BACK],
            help=f"{BACK}: brings back what an outage has left away that was killed",
        )
        parser.add_argument("--seconds", type=int, default=10, help=f"{MOST_SECONDS} at most")

    def handle(self, *args: Any, kind: str, seconds: int, **options: Any) -> None:
        if not settings.LAB:
            raise CommandError("Outages are part of the lab: LAB=1.")
        if not 1 <= seconds <= MOST_SECONDS:
            raise CommandError(f"An outage lasts 1 to {MOST_SECONDS} seconds.")
        signal.signal(signal.SIGTERM, leave)
        with only_one():
            if kind == BACK:
                bring_back()
            else:
                KINDS[kind](Outage(kind, seconds))


def leave(signum: int, frame: FrameType | None) -> None:
    raise SystemExit(1)  # through every `finally` on the way


@contextmanager
def only_one() -> Iterator[None]:
    with open_lock(settings.OUTAGE_FILE.with_suffix(".lock")) as lock:
        if not try_lock(lock):
            raise CommandError("Another outage is going on.")
        yield


def nothing() -> None:
    """Where there is nothing to do."""


class Outage:
    """One outage: it has a note from when the store is away until it is back."""

    def __init__(self, kind: str, seconds: int) -> None:
        self.kind, self.seconds = kind, seconds
        self.parent, self.until = os.getppid(), 0.0
        self.asked_to_end = settings.OUTAGE_FILE.with_suffix(".end")

    def go_on(self, take_away: Act, bring_back: Act, *, keep_away: Act = nothing) -> None:
        """Take the store away, wait, and bring it back, whatever ends the waiting.

        `keep_away` is done over and over meanwhile.
        """
        self.asked_to_end.unlink(missing_ok=True)
        try:
            take_away()
            self.until = time.time() + self.seconds
            self.write_note()
            self.wait(keep_away)
        finally:
            bring_back()
            settings.OUTAGE_FILE.unlink(missing_ok=True)
            self.asked_to_end.unlink(missing_ok=True)

    def write_note(self) -> None:
        note = {"kind": self.kind, "until": self.until, "process": os.getpid()}
        new = settings.OUTAGE_FILE.with_suffix(".new")
        new.write_text(json.dumps(note))
        new.replace(settings.OUTAGE_FILE)

    def wait(self, keep_away: Act) -> None:
        while time.time() < self.until:
            if os.getppid() != self.parent or self.asked_to_end.exists():
                return
            keep_away()
            time.sleep(LOOK_SECONDS)


# --- what can be taken away -----------------------------------------------------------------


def pause_redis(outage: Outage) -> None:
    """Redis hears everybody and answers nobody; it goes on by itself, whatever becomes of us."""
    client = private_redis()
    process = client.info("server")["process_id"]

    def pause() -> None:
        # ALL, for WRITE would leave the reads; and so it stops the command that would end it, too.
        client.execute_command("CLIENT", "PAUSE", 1000 * outage.seconds, "ALL")

    def unpause() -> None:
        if time.time() < outage.until:
            stop(process)
            start()

    outage.go_on(pause, unpause)


def delay_redis(outage: Outage) -> None:
    """Redis answers late: it is paused for a moment, and for another one when that is over.

    The next pause is asked for while the last one goes on. So it has to wait as well, and begins
    when all those are answered who have waited longer: nobody waits for more than two. And whoever
    kills this process leaves nothing but the rest of a moment.
    """
    client = private_redis()

    def pause() -> None:
        client.execute_command("CLIENT", "PAUSE", MOMENT_MILLISECONDS, "ALL")

    outage.go_on(pause, start, keep_away=pause)


def stop_redis(outage: Outage) -> None:
    """Redis is gone. It wrote down what it had answered, and comes back with all of it."""
    process = private_redis().info("server")["process_id"]
    outage.go_on(lambda: stop(process), start)


def lock_database(outage: Outage) -> None:
    """Nobody else can write to the database, and reading goes on."""

    def take_lock() -> None:
        if connection.vendor == "postgresql":
            tables = (model._meta.db_table for model in apps.get_models())
            names = ", ".join(map(connection.ops.quote_name, tables))
            with connection.cursor() as cursor:
                cursor.execute(f"LOCK TABLE {names} IN EXCLUSIVE MODE")

    try:
        with transaction.atomic():  # on SQLite it has the one write lock from here on
            outage.go_on(take_lock, lambda: transaction.set_rollback(True))
    except DatabaseError as error:
        raise CommandError(f"The database did not give its lock: {error}") from error


def stop_database(outage: Outage) -> None:
    """No worker of the site reaches the database: the note makes them (`lab.side.outages`).

    Why not here: SQLite has no server to stop. Its file, moved away, goes on to serve whoever has
    it open, and a lock that keeps readers off has them wait for ten seconds.
    """
    outage.go_on(nothing, nothing)


KINDS: dict[str, Callable[[Outage], None]] = {
    "redis-delay": delay_redis,
    "redis-pause": pause_redis,
    "redis-stop": stop_redis,
    "database-lock": lock_database,
    "database-stop": stop_database,
}


def bring_back() -> None:
    """Undo what a killed outage has done. A stopped Redis is all that does not come back alone."""
    if not settings.REDIS_URL:
        start()
    settings.OUTAGE_FILE.unlink(missing_ok=True)


def private_redis() -> "redis.Redis":
    """A client of the embedded Redis; raises `CommandError` where it is not ours, or away."""
    url: str = settings.CACHES["auth"]["LOCATION"]
    if settings.REDIS_URL or not url.startswith("unix:"):
        raise CommandError(NOT_OURS)
    client = redis.Redis.from_url(url, socket_timeout=2)
    try:
        client.ping()
    except redis.RedisError as error:
        raise CommandError(f"Redis does not answer: {error}") from error
    return client


def start() -> None:
    embedded_redis.ensure_running(settings.VAR_DIR)


def stop(process: int) -> None:
    """End the server, and wait until its supervisor has cleaned up after it."""
    os.kill(process, signal.SIGTERM)
    path = embedded_redis.socket_path(settings.VAR_DIR)
    deadline = time.monotonic() + 10
    while path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
