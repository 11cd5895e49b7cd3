"""Do tests keep out of each other's way when several workers run them (`-n`)?"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.once,
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc"),
]

ROOT = Path(__file__).resolve().parent.parent
WORKERS = ("-n2", "--dist=loadfile", "--max-worker-restart=0")
# Only what the run needs: every plugin is imported by every worker.
PLUGINS = ("xdist", "django", "timeout", "tests.conftest")

COMMON = """
import os, signal, time
from pathlib import Path
import pytest

DIARY = Path(os.environ["DIARY"])

def note(*words):
    with DIARY.open("a") as file:
        print(*words, file=file)

def wait_for(words):
    while words not in DIARY.read_text():
        time.sleep(0.01)
"""
OWN = """
@pytest.mark.django_db
def test_own():
    from django.conf import settings
    from django.db import connection
    name = connection.settings_dict["NAME"]
    note("own", settings.VAR_DIR, settings.CACHES["auth"]["LOCATION"], name)
"""
ALONE = """
def test_before():
    note("before")
    wait_for("busy 3")

@pytest.mark.alone
def test_alone():
    note("alone begins")
    time.sleep(0.5)
    note("alone ends")
"""
BUSY = """
@pytest.mark.parametrize("number", range(20))
def test_busy(number):
    if number == 2:
        wait_for("before")  # the other worker may be slow to begin
    note("busy", number)
    time.sleep(0.05)
"""
SKIPPED = """
@pytest.mark.skip(reason="nobody knows")
def test_skipped():
    pass
"""
DYING = """
def test_dying():
    os.kill(os.getpid(), signal.SIGKILL)
"""

Finished = subprocess.CompletedProcess[str]


@contextmanager
def empty_folder() -> Iterator[Path]:
    """Not tmp_path: PostgreSQL runs as a user who may not look into pytest's directories."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "diary").touch()
        yield Path(name)


@pytest.fixture
def folder() -> Iterator[Path]:
    with empty_folder() as folder:
        yield folder


def run(folder: Path, *options: str, first: str, second: str, **environ: str) -> Finished:
    """Run two workers on two files of tests, with everything temporary below `folder`."""
    for name, tests in (("first", first), ("second", second)):
        (folder / f"test_{name}.py").write_text(COMMON + tests)
    plugins = [word for name in PLUGINS for word in ("-p", name)]
    where = ["-c", "pyproject.toml", f"--rootdir={ROOT}", str(folder)]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *where, *WORKERS, *options],
        cwd=ROOT,
        env={
            **{k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"},
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "TMPDIR": str(folder),
            "DIARY": str(folder / "diary"),
            "CI": "",
            **environ,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def together() -> Iterator[tuple[Finished, Path]]:
    """Two workers have run side by side, in CI."""
    with empty_folder() as folder:
        yield run(folder, first=OWN + ALONE, second=OWN + BUSY + SKIPPED, CI="true"), folder


def diary(folder: Path) -> list[list[str]]:
    return [line.split() for line in (folder / "diary").read_text().splitlines()]


def left_over(folder: Path) -> list[Path]:
    """Directories of a run, and processes that were started for it."""
    return [*folder.glob("authdemo-tests-*"), *filter(names(folder), Path("/proc").glob("[0-9]*"))]


def names(folder: Path) -> Callable[[Path], bool]:
    def is_of_it(process: Path) -> bool:
        try:
            said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            return False
        return str(folder).encode() in said

    return is_of_it


def wait_until_nothing_is_left(folder: Path) -> None:
    deadline = time.monotonic() + 10
    while left := left_over(folder):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_each_has_its_own(together: tuple[Finished, Path]) -> None:
    finished, folder = together
    one, other = (words for words in diary(folder) if words[0] == "own")
    assert set(one) & set(other) == {"own"}
    assert "Ran on database: SQLite 3." in finished.stdout
    assert "Redis: real " in finished.stdout
    wait_until_nothing_is_left(folder)


def test_a_skip_fails_in_ci(together: tuple[Finished, Path]) -> None:
    finished, _ = together
    assert "24 passed, 1 skipped" in finished.stdout
    assert "Skipped, which CI does not allow: " in finished.stdout
    assert finished.returncode == pytest.ExitCode.TESTS_FAILED


def test_nothing_runs_beside_a_test_that_is_alone(together: tuple[Finished, Path]) -> None:
    lines = diary(together[1])
    assert lines.index(["alone", "ends"]) == lines.index(["alone", "begins"]) + 1
    assert lines[-1] == ["busy", "19"], "they did run at the same time"


def test_a_worker_that_dies_leaves_nothing(folder: Path) -> None:
    finished = run(folder, "--postgres", first=DYING, second=OWN)
    assert "crashed while running" in finished.stdout
    assert "Ran on database: PostgreSQL " in finished.stdout
    wait_until_nothing_is_left(folder)


def test_settings_of_ones_own_are_refused(folder: Path) -> None:
    """Threat: every test empties its Redis. With the developer's settings it would be theirs."""
    mine = {"DJANGO_SETTINGS_MODULE": "authdemo.settings"}
    finished = run(folder, "-n0", first=OWN, second=OWN, **mine)
    assert finished.returncode == pytest.ExitCode.USAGE_ERROR
    assert "Unset DJANGO_SETTINGS_MODULE" in finished.stderr
    assert diary(folder) == []
