"""How does a store go away? Really: a Redis of the test's own, or somebody else at the database.

    with REDIS_AWAY["stalled"](redis):
        ...

Each outage is a context manager: inside of it the store is away, afterwards it is back
with all that it was told before.
"""

from __future__ import annotations

import copy
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
import pytest
from django.conf import settings as site_settings
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django_redis.pool import ConnectionFactory
from fakeredis import TcpFakeServer
from psycopg.conninfo import conninfo_to_dict
from pytest_django import Settings
from redis import Redis
from redis.exceptions import RedisError

from authdemo.embedded_redis import answers, find_binary
from authdemo.redis_supervisor import redis_command
from tests.postgres_server import start_postgres

SHORT = 0.1
"""Seconds that most tests let the site wait for a store; a few let it wait as long as it does."""

PATIENT = 5.0
"""Seconds that the site waits for a Redis that is not away, however busy this machine is."""

needs_redis_server = pytest.mark.skipif(find_binary() is None, reason="no redis-server to start")


# --- where nothing has to be kept ------------------------------------------------------------


@contextmanager
def redis_at(location: str, **options: Any) -> Iterator[None]:
    """Let the site look for Redis somewhere else."""
    caches = copy.deepcopy(site_settings.CACHES)
    caches["auth"]["LOCATION"] = location
    caches["auth"]["OPTIONS"].update(options)
    with override_settings(CACHES=caches):
        yield


@contextmanager
def no_redis() -> Iterator[None]:
    """Nobody listens there."""
    with redis_at("unix:///nonexistent/redis.sock?db=0"):
        yield


@contextmanager
def no_database() -> Iterator[None]:
    """Each statement that needs a table fails, for a reason that is real."""
    away = unopenable if connection.vendor == "sqlite" else tables_locked
    with waits_for_locks(), away():
        yield


@contextmanager
def simulated_redis() -> Iterator[str]:
    """The URL of a server that speaks Redis and is none."""
    fake = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    fake.daemon_threads = True
    threading.Thread(target=fake.serve_forever, daemon=True).start()
    try:
        yield f"redis://127.0.0.1:{fake.server_address[1]}/0"
    finally:
        fake.shutdown()
        fake.server_close()


# --- Redis ----------------------------------------------------------------------------------


class PrivateRedis:
    """A Redis that nobody else uses, run as the site's own is, and the site pointed at it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.site_seconds: float = settings.CACHES["auth"]["OPTIONS"]["SOCKET_TIMEOUT"]
        """How long the site as it is configured waits for its Redis."""
        # Not pytest's folder: the kernel takes 104 bytes of a socket's path.
        self.folder = Path(tempfile.mkdtemp(prefix="authdemo-outage-", dir="/tmp"))
        self.socket = self.folder / "redis.sock"
        self.url = f"unix://{self.socket}?db=0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        binary = find_binary()
        assert binary is not None
        self.process = subprocess.Popen(
            redis_command(str(binary.path), self.socket),
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while not (self.socket.exists() and answers(self.socket)):
            assert time.monotonic() < deadline, "it did not start"
            time.sleep(0.005)

    def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the process; by default like a crash."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=20)
            self.process = None
            self.socket.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove what a restart would read."""
        for name in ("appendonlydir", "appendonly.aof", "dump.rdb"):
            path = self.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def tell(self, *command: str | int) -> Any:
        """One command, over a connection of its own."""
        with Redis(unix_socket_path=str(self.socket)) as client:
            return client.execute_command(*command)

    def use(self, *, seconds: float = PATIENT, through: str = "") -> None:
        """Have the site wait so long for this Redis, which it reaches directly or `through` a URL.

        All connections that it has go on if neither changes, and are closed otherwise.
        """
        url = through or self.url
        changed = copy.deepcopy(self.settings.CACHES)
        changed["auth"]["LOCATION"] = url
        changed["auth"]["OPTIONS"].update(SOCKET_TIMEOUT=seconds, SOCKET_CONNECT_TIMEOUT=seconds)
        self.settings.CACHES = changed
        forget_connections(url)

    @contextmanager
    def waited_for(self, seconds: float = SHORT, *, through: str = "") -> Iterator[None]:
        """Have the site wait no longer than that for it."""
        self.use(seconds=seconds, through=through)
        yield
        self.use()


def forget_connections(url: str) -> None:
    pool = ConnectionFactory._pools.pop(url, None)
    if pool is not None:
        pool.disconnect()


@contextmanager
def private_redis(settings: Settings) -> Iterator[PrivateRedis]:
    """A running Redis that the site uses from here on, with as much patience as it needs."""
    server = PrivateRedis(settings)
    try:
        server.start()
        server.use()
        yield server
    finally:
        forget_connections(server.url)
        server.end()
        shutil.rmtree(server.folder)


class Wire:
    """A Unix socket before a Redis that passes everything on: late, or not to its end."""

    def __init__(self, server: PrivateRedis) -> None:
        self.target = str(server.socket)
        path = server.folder / "wire.sock"
        self.url = f"unix://{path}?db=0"
        self.delay = 0.0
        """Seconds by which every reply comes late."""
        self.tear: int | None = None
        """Which reply, counted from 0, ends in its middle; so does its connection."""
        self.replies = 0
        self.passing = threading.Event()
        """Unless it is set, replies are kept back, as if their packets were lost for now."""
        self.passing.set()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(64)
        self.open = [self.listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.passing.set()
        for end in self.open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        forget_connections(self.url)
        Path(self.listener_path).unlink(missing_ok=True)

    @property
    def listener_path(self) -> str:
        return self.url.removeprefix("unix://").partition("?")[0]

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(self.target)
            except OSError:  # nobody is there for now; whoever comes later may be luckier
                near.close()
                far.close()
                continue
            self.open += [near, far]
            for work in (self._pass_questions, self._pass_replies):
                threading.Thread(target=work, args=(near, far), daemon=True).start()

    def _pass_questions(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while part := near.recv(65536):
                far.sendall(part)
            far.shutdown(socket.SHUT_RDWR)

    def _pass_replies(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while part := far.recv(65536):
                number, self.replies = self.replies, self.replies + 1
                time.sleep(self.delay)
                self.passing.wait()
                if number == self.tear:
                    near.sendall(part[: len(part) // 2])
                    break
                near.sendall(part)
            near.shutdown(socket.SHUT_RDWR)
            far.shutdown(socket.SHUT_RDWR)


@contextmanager
def wire(server: PrivateRedis, *, seconds: float) -> Iterator[Wire]:
    """The site reaches its Redis through a wire, and waits so long for each reply."""
    between = Wire(server)
    try:
        with server.waited_for(seconds, through=between.url):
            yield between
    finally:
        between.close()


RedisOutage: TypeAlias = Callable[[PrivateRedis], AbstractContextManager[None]]


def ended_by(number: signal.Signals) -> RedisOutage:
    @contextmanager
    def ended(server: PrivateRedis) -> Iterator[None]:
        """Restarted with its data: a write has reached the kernel before its answer left."""
        server.end(number)
        yield
        server.start()

    return ended


@contextmanager
def stalled(server: PrivateRedis) -> Iterator[None]:
    """Connections are made, and nothing is answered."""
    with server.waited_for():
        server.signal(signal.SIGSTOP)
        yield
        server.signal(signal.SIGCONT)


@contextmanager
def paused(server: PrivateRedis) -> Iterator[None]:
    """As an administrator does it. Surprise: CLIENT PAUSE holds back CLIENT UNPAUSE as well."""
    server.tell("CLIENT", "PAUSE", 600_000)
    with server.waited_for():
        yield
        server.end()
        server.start()


@contextmanager
def too_slow(server: PrivateRedis) -> Iterator[None]:
    """Each reply comes, but later than the site waits for it: what it asked for may be done."""
    with wire(server, seconds=SHORT / 2) as between:
        between.delay = SHORT
        yield


@contextmanager
def slow(server: PrivateRedis) -> Iterator[None]:
    """Each reply comes late, but in time."""
    with wire(server, seconds=PATIENT) as between:
        between.delay = 0.02
        yield


@contextmanager
def full(server: PrivateRedis) -> Iterator[None]:
    """All the memory that it may have is taken, and `noeviction` says: refuse."""
    fill(server)
    # Below what is taken, so that a connection's buffer that is freed makes no room.
    server.tell("CONFIG", "SET", "maxmemory", used_memory(server) - 500_000)
    yield
    server.tell("CONFIG", "SET", "maxmemory", 0)


@contextmanager
def busy_disk(server: PrivateRedis) -> Iterator[None]:
    """Somebody writes as much as the disk takes; entered when Redis has to wait for it, if ever."""
    # A child that rewrites the file would hold all connections open beyond its parent's end.
    server.tell("CONFIG", "SET", "auto-aof-rewrite-percentage", 0)
    over = threading.Event()

    def write() -> None:
        with Redis(unix_socket_path=str(server.socket)) as client, suppress(RedisError):
            while not over.is_set():
                client.set("filler", "x" * 1_000_000)

    writing = threading.Thread(target=write)
    writing.start()
    deadline = time.monotonic() + 1.2
    with Redis(unix_socket_path=str(server.socket)) as client:
        while not client.info("persistence").get("aof_pending_bio_fsync"):
            if time.monotonic() > deadline:
                break
    yield
    over.set()
    writing.join()


def fill(server: PrivateRedis) -> None:
    """Write until Redis says that it is full."""
    server.tell("CONFIG", "SET", "maxmemory", used_memory(server) + 1_000_000)
    with Redis(unix_socket_path=str(server.socket)) as client, suppress(RedisError):
        for number in range(10_000):
            client.set(f"filler:{number}", "x" * 10_000)
        raise AssertionError("it never became full")


def used_memory(server: PrivateRedis) -> int:
    with Redis(unix_socket_path=str(server.socket)) as client:
        return int(client.info("memory")["used_memory"])


@contextmanager
def demoted(server: PrivateRedis) -> Iterator[None]:
    """A failover made it a replica; of a primary that does not answer."""
    server.tell("REPLICAOF", "127.0.0.1", 1)
    yield
    server.tell("REPLICAOF", "NO", "ONE")


@contextmanager
def evicting(server: PrivateRedis) -> Iterator[None]:
    """Whatever was not used for longest makes room for what is written (`allkeys-lru`)."""
    server.tell("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    server.tell("CONFIG", "SET", "maxmemory", used_memory(server) + 1_000_000)
    yield
    server.tell("CONFIG", "SET", "maxmemory", 0)


def evict(server: PrivateRedis) -> int:
    """Write until a key had to go that is none of ours to write; return how many did."""
    with Redis(unix_socket_path=str(server.socket)) as client:
        before = client.info("stats")["evicted_keys"]
        for number in range(2_000):
            client.set(f"filler:{number}", "x" * 1_000)
        return int(client.info("stats")["evicted_keys"]) - int(before)


REDIS_AWAY: dict[str, RedisOutage] = {
    "stopped": ended_by(signal.SIGTERM),
    "killed": ended_by(signal.SIGKILL),
    "stalled": stalled,
    "paused": paused,
    "too slow": too_slow,
}
REDIS_NOT_WRITABLE: dict[str, RedisOutage] = {"full": full, "demoted": demoted}
REDIS_OUTAGES = REDIS_AWAY | REDIS_NOT_WRITABLE


# --- the database ---------------------------------------------------------------------------

DatabaseOutage: TypeAlias = Callable[[], AbstractContextManager[None]]
HOLD = """
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def waits_for_locks(seconds: float = SHORT) -> Iterator[None]:
    """Let this thread's connection wait no longer than that for somebody else's lock."""
    before = "PRAGMA busy_timeout" if connection.vendor == "sqlite" else "SHOW lock_timeout"
    change = {
        "sqlite": "PRAGMA busy_timeout = {}",
        "postgresql": "SET lock_timeout = '{}'",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(before)
        usual = cursor.fetchone()[0]
        cursor.execute(change.format(int(seconds * 1000)))
    yield
    # It may have been closed meanwhile; then the new one waits as settings say.
    with connection.cursor() as cursor:
        cursor.execute(change.format(usual))


@contextmanager
def locked_by_another_process() -> Iterator[None]:
    """SQLite has one lock for all writers; in WAL mode readers go on."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(connection.settings_dict["NAME"])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    try:
        yield
    finally:
        holder.communicate(timeout=20)


@contextmanager
def unopenable() -> Iterator[None]:
    """SQLite's file is gone, and something else stands in its place."""
    connection.close()
    name = Path(str(connection.settings_dict["NAME"]))
    files = [path for path in name.parent.glob(f"{name.name}*") if path.is_file()]
    for path in files:
        path.rename(path.with_name(f"away-{path.name}"))
    name.mkdir()
    try:
        yield
    finally:
        connection.close()
        name.rmdir()
        for path in files:
            path.with_name(f"away-{path.name}").rename(path)


@contextmanager
def another_connection() -> Iterator[Any]:
    """A cursor of somebody else at this PostgreSQL, inside of a transaction."""
    other = connection.copy()
    other.inc_thread_sharing()  # a timer may let go
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            yield cursor
        other.rollback()
    finally:
        other.close()


@contextmanager
def tables_locked() -> Iterator[None]:
    """As a migration does it: not even a reader gets in."""
    tables = connection.introspection.table_names()
    quoted = ", ".join(connection.ops.quote_name(table) for table in tables)
    with another_connection() as cursor:
        cursor.execute(f"LOCK TABLE {quoted} IN ACCESS EXCLUSIVE MODE")
        yield


@contextmanager
def rows_locked() -> Iterator[None]:
    """As a transaction that was forgotten does it: readers go on."""
    with another_connection() as cursor:
        for table in ("accounts_user", "jwt_api_tokenfamily"):
            cursor.execute(f"SELECT 1 FROM {table} FOR UPDATE")
        yield


def kill_connections() -> None:
    """End every connection to this database, as a restart or an administrator does."""
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    other.close()


class PrivatePostgres:
    """A PostgreSQL that nobody else uses; it starts when the site is first pointed at it."""

    def __init__(self) -> None:
        # Not pytest's folder: each run of pytest closes it to all other users, this server's too.
        self.folder = Path(tempfile.mkdtemp(prefix="authdemo-outage-"))
        self.address: dict[str, Any] = {}
        self.data: Path | None = None
        self.stop_first: Callable[[], None] = lambda: None
        self.restarted: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """The first time from nothing, later once more as it was started first."""
        if self.data is None:
            url, _, self.stop_first = start_postgres(self.folder)
            self.address = {**conninfo_to_dict(url), "connect_timeout": 2}
            with self.connect() as asking:
                asking.autocommit = True
                # What is committed outlives a crash here, unlike in the run's own server.
                asking.execute("ALTER SYSTEM SET synchronous_commit = on")
                asking.execute("SELECT pg_reload_conf()")
                (folder,) = asking.execute("SHOW data_directory").fetchone() or ("",)
            self.data = Path(folder)
            return
        deadline = time.monotonic() + 30
        while not self.answers():
            assert time.monotonic() < deadline, "it did not start"
            # Surprise: it refuses to start while a process of its last life is still dying.
            if self.restarted is None or self.restarted.poll() is not None:
                self.restarted = self.launch()
            time.sleep(0.05)

    def launch(self) -> subprocess.Popen[bytes]:
        assert self.data is not None
        return subprocess.Popen(
            shlex.split((self.data / "postmaster.opts").read_text()),
            cwd=self.data,
            user=self.data.stat().st_uid if os.geteuid() == 0 else None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            self.connect().close()
            return True
        return False

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(**self.address)

    @property
    def pid_file(self) -> Path:
        assert self.data is not None
        return self.data / "postmaster.pid"

    def stop(self) -> None:
        """At once, as in a crash (`pg_ctl stop -m immediate`): clients are cut off."""
        if self.restarted is not None and self.restarted.poll() is not None:
            return
        os.kill(int(self.pid_file.read_text().split()[0]), signal.SIGQUIT)
        if self.restarted is not None:
            self.restarted.wait(timeout=20)
        deadline = time.monotonic() + 20
        while self.pid_file.exists():
            assert time.monotonic() < deadline, "it did not stop"
            time.sleep(0.01)

    def pids(self) -> list[int]:
        """The server's processes, its first one before all others."""
        first = int(self.pid_file.read_text().split()[0])
        with self.connect() as asking:
            others = asking.execute(
                "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            )
            return [first, *(pid for (pid,) in others)]

    def end(self) -> None:
        if self.data is not None:
            self.stop()
            self.stop_first()
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def used(self) -> Iterator[None]:
        """The site stands on this server, as empty as a test's database is."""
        self.start()
        usual = dict(connection.settings_dict)
        connection.close()
        connection.settings_dict.update(
            NAME=self.address["dbname"],
            USER=self.address["user"],
            HOST=self.address["host"],
            PORT=self.address.get("port", ""),
        )
        try:
            call_command("migrate", verbosity=0)
            call_command("flush", verbosity=0, interactive=False)
            yield
        finally:
            connection.close()
            connection.settings_dict.update(usual)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self.stop()
        yield
        self.start()

    def stall(self) -> Callable[[], None]:
        """Stop all its processes where they stand, and return what lets them go on.

        Their machine lives, and its kernel keeps the connections.
        """
        pids = self.pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)

        def go_on() -> None:
            for pid in reversed(pids):
                os.kill(pid, signal.SIGCONT)

        return go_on


# What the site has to stand on before it is taken away; yields what takes it away.
Stage: TypeAlias = Callable[[PrivatePostgres], AbstractContextManager[DatabaseOutage]]


def of_the_run(outage: DatabaseOutage) -> Stage:
    """An outage that the run's own database can meet."""
    return lambda server: nullcontext(outage)


@contextmanager
def stopped_server(server: PrivatePostgres) -> Iterator[DatabaseOutage]:
    with server.used():
        yield server.stopped


DATABASE_AWAY: dict[str, Stage]
DATABASE_NOT_WRITABLE: dict[str, Stage]
if connection.vendor == "sqlite":
    DATABASE_AWAY = {"unopenable": of_the_run(unopenable)}
    DATABASE_NOT_WRITABLE = {"locked by another process": of_the_run(locked_by_another_process)}
else:
    DATABASE_AWAY = {"tables locked": of_the_run(tables_locked), "stopped": stopped_server}
    DATABASE_NOT_WRITABLE = {"rows locked": of_the_run(rows_locked)}
DATABASE_OUTAGES = DATABASE_AWAY | DATABASE_NOT_WRITABLE
