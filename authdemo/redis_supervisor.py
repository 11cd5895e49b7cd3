"""Who ends the embedded Redis when its last user is gone? This process, one for each checkout.

Started by `embedded_redis` as a script, on the standard library alone:
`redis_supervisor.py BINARY SOCKET DATA_DIR`. Every process that uses Redis
holds a shared lock on `users.lock`; the kernel drops it when that process
dies, by SIGKILL too. Getting the exclusive lock therefore means: all gone.
"""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import IO

STOP_SECONDS = 10
PR_SET_PDEATHSIG = 1


def main(binary: str, socket: Path, data_dir: Path) -> None:
    """Run Redis until it ends or nobody uses it. Returns at once if another supervisor does."""
    server_lock = open(data_dir / "server.lock", "a+b")
    if not take(server_lock):
        return
    # The lock is taken before the caller's wait for us ends, and lives on in the fork: from here
    # on "server.lock is free" means that start or run is over. The fork makes us nobody's child,
    # so that nobody has to reap us.
    if os.fork():
        return
    redis = subprocess.Popen(
        redis_command(binary, socket),
        cwd=data_dir,
        # Redis holds the lock as well: were we killed, no second server could take these data.
        pass_fds=[server_lock.fileno()],
        preexec_fn=end_with_parent() if sys.platform == "linux" else None,
    )

    def stop(signum: int, frame: FrameType | None) -> None:
        redis.terminate()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    users = open(data_dir / "users.lock", "a+b")
    threading.Thread(target=stop_when_unused, args=(users, redis), daemon=True).start()
    redis.wait()
    if is_ours(server_lock):
        remove_socket(socket)


def take(server_lock: IO[bytes]) -> bool:
    """Lock it, with patience for those who only look whether it is locked."""
    for _ in range(50):
        try:
            fcntl.flock(server_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        else:
            return True
    return False


def redis_command(binary: str, socket: Path) -> list[str]:
    """Redis on a private socket only, its data in the working directory."""
    return [
        binary,
        *("--port", "0"),
        *("--unixsocket", str(socket)),
        *("--unixsocketperm", "700"),
        # A write reaches the kernel before its answer leaves, so that a Redis that is killed brings
        # back no session that was ended. Surprise: `everysec` holds writes back for up to two
        # seconds while the disk is busy, though they are answered. Only a power cut loses the
        # last ones, as it does with our SQLite; who minds runs a Redis with `always`.
        *("--appendonly", "yes", "--appendfsync", "no", "--save", ""),
        # Full means an error that the site reports, never a session that silently went away.
        *("--maxmemory", "256mb", "--maxmemory-policy", "noeviction"),
        *("--loglevel", "notice"),
    ]


def end_with_parent() -> Callable[[], None]:
    """Have the kernel end Redis, cleanly, should this process be killed (Linux only)."""
    prctl = ctypes.CDLL(None).prctl

    def ask_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    return ask_kernel


def stop_when_unused(users: IO[bytes], redis: "subprocess.Popen[bytes]") -> None:
    """Wait until no process uses Redis, then stop it. Who comes now waits for our end."""
    fcntl.flock(users, fcntl.LOCK_EX)
    redis.terminate()
    time.sleep(STOP_SECONDS)
    redis.kill()


def is_ours(server_lock: IO[bytes]) -> bool:
    """Is our lock file still the one on disk? Not if the data directory was deleted meanwhile."""
    try:
        return os.path.samestat(os.stat(server_lock.name), os.fstat(server_lock.fileno()))
    except FileNotFoundError:
        return False


def remove_socket(socket: Path) -> None:
    """Leave nothing in the directory for temporary files."""
    socket.unlink(missing_ok=True)
    try:
        socket.parent.rmdir()
    except OSError:
        return


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
