"""How does a test ask real processes? A server, with a database, a Redis and users of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from accounts.client import authorities

ROOT = Path(__file__).resolve().parent.parent
# gunicorn hangs up after two idle seconds, and a client's next call may run into that.
KEEP_ALIVE = "--keep-alive=75"
SERVERS = {
    "gunicorn": [
        *("gunicorn", "authdemo.wsgi", "--workers=2", "--threads=4", "--log-level=warning"),
        KEEP_ALIVE,
    ],
    "waitress": ["tests.waitress_server"],
}


@dataclass
class Deployment:
    """A running site, and the environment that its commands need too."""

    url: str
    environment: dict[str, str]

    def manage(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return manage(self.environment, *arguments)


def manage(environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )


@contextmanager
def deployed(
    var_dir: Path, *, server: str = "gunicorn", options: Sequence[str] = (), **settings: str
) -> Iterator[Deployment]:
    """A server of `SERVERS` with the demo users; `settings` go into its environment.

    Of its `options` the last one counts, as of anybody's command line.
    """
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        # The project's settings with a fast hasher: it is not the hashing that is tested.
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "ENV_FILE": os.devnull,
        "VAR_DIR": str(var_dir),
        "LAB": "1",
        **settings,
    }
    manage(environment, "migrate", "--verbosity=0")
    manage(environment, "make_demo_users")
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", *SERVERS[server], *options, f"--bind={address}"]
    with (var_dir / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        wait_until_ready(f"http://{address}/readyz", process)
        yield Deployment(f"http://{address}", environment)
    finally:
        process.terminate()
        process.wait(timeout=20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            if httpx.get(url, verify=authorities()).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail("the server is not ready after a minute")
