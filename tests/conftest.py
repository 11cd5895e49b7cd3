"""What does a test run stand on? Real Redis, a real database, and nothing of the developer's own.

No `.env`, no `var/` and no exported setting of the developer reaches the
tests: what they need lives in a temporary directory that goes with the run.

With `-n`, pytest-xdist's controlling process hands the tests out to workers. Each
worker stands on a Redis, a database and a directory of its own, as a run without
`-n` does. The controlling process runs no test and starts what they share: the
directory around theirs and the PostgreSQL server that holds their databases.
"""

import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import django
import pytest
from django.conf import settings

from authdemo import embedded_redis, redis_facts
from authdemo.browser import find_browser
from authdemo.file_lock import lock, open_lock
from tests.postgres_server import start_postgres

if TYPE_CHECKING:
    from pytest_django import Settings

    from accounts.models import User
    from tests.outages import PrivateRedis

# Here, because tests outside of the contract suite import it as well, and may come first.
pytest.register_assert_rewrite("tests.contract.answers")

SETTINGS_FILE = Path(__file__).resolve().parent.parent / "authdemo" / "settings.py"
CI = os.environ.get("CI", "").lower() in ("1", "true")
FULL = os.environ.get("FULL", "").lower() in ("1", "true")
BROWSER_FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


class Shared(TypedDict):
    """What all workers of a run use together; a run without workers is its own only one."""

    folder: str
    database: str
    database_url: str


shared_key = pytest.StashKey[Shared]()
var_dir_key = pytest.StashKey[Path]()
redis_key = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres", action="store_true", help="run on a real PostgreSQL instead of SQLite"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Prepare the environment before anything imports the settings."""
    if settings.configured:
        # pytest-django has read them, before this file. Threat: every test empties their Redis.
        raise pytest.UsageError("Unset DJANGO_SETTINGS_MODULE: the tests have settings of theirs.")
    for name in re.findall(r"env\.\w+\(\s*\"(\w+)\"", SETTINGS_FILE.read_text()):
        os.environ.pop(name, None)
    worker = getattr(config, "workerinput", {})
    shared: Shared = worker.get("shared") or start_shared(config)
    config.stash[shared_key] = shared
    # Workers inherit the environment: it stays empty here, for theirs names other services.
    if not hands_out_tests(config):
        start_own(config, Path(shared["folder"]) / worker.get("workerid", "var"))


def pytest_xdist_auto_num_workers() -> int:
    """As many as `-n auto` starts: more than cores, for many a test waits for servers and times."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(2, 3 * (cores or 1) // 2)


def hands_out_tests(config: pytest.Config) -> bool:
    """Is this the controlling process, and will it start workers?"""
    distributes = config.getoption("dist", "no") != "no" and bool(config.getoption("tx", []))
    return distributes and not config.getoption("collectonly")


def start_shared(config: pytest.Config) -> Shared:
    folder = Path(tempfile.mkdtemp(prefix="authdemo-tests-"))
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    if not config.getoption("--postgres"):
        database = f"SQLite {sqlite3.sqlite_version}"
        return {"folder": str(folder), "database": database, "database_url": ""}
    # One for all: a second server costs a second, a second database nothing.
    server = start_postgres(folder)
    config.add_cleanup(server.stop)
    database = f"PostgreSQL {server.version}"
    return {"folder": str(folder), "database": database, "database_url": server.url}


def start_own(config: pytest.Config, var_dir: Path) -> None:
    var_dir.mkdir(mode=0o700)
    config.stash[var_dir_key] = var_dir
    os.environ.update(
        DJANGO_SETTINGS_MODULE="tests.settings",
        ENV_FILE=os.devnull,
        VAR_DIR=str(var_dir),
        # Playwright runs an event loop in the test's thread; Django then refuses the database.
        DJANGO_ALLOW_ASYNC_UNSAFE="true",
    )
    if url := config.stash[shared_key]["database_url"]:
        os.environ["DATABASE_URL"] = url
        # The server goes with the run. Dropping its database first would fail while a thread of
        # a live server still holds a connection.
        config.option.reuse_db = True
    embedded_redis.ensure_running(var_dir)
    config.add_cleanup(lambda: stop_redis(var_dir))
    redis = redis_facts.describe(embedded_redis.url(var_dir))
    config.stash[redis_key] = f"{redis.kind} {redis.version}"
    if hasattr(config, "workeroutput"):
        config.workeroutput["redis"] = config.stash[redis_key]
    # pytest-django sets Django up before this conftest is read, or else not at all.
    django.setup()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["shared"] = node.config.stash[shared_key]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Remember what the worker ran on. One that crashed leaves no word, nor anything running."""
    if redis := getattr(node, "workeroutput", {}).get("redis"):
        node.config.stash[redis_key] = redis


def stop_redis(var_dir: Path) -> None:
    embedded_redis.release(var_dir)
    embedded_redis.wait_until_gone(var_dir)


def pytest_report_header(config: pytest.Config) -> str:
    return services(config)


def services(config: pytest.Config) -> str:
    redis = config.stash.get(redis_key, "each worker's own")
    return f"database: {config.stash[shared_key]['database']}; Redis: {redis}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    marks: tuple[str, ...] = () if FULL else ("full",)
    marks += ("once", "browser") if config.getoption("--postgres") else ()
    left_out = {item for item in items if any(map(item.get_closest_marker, marks))}
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    # Surprise: once Playwright has begun, its event loop runs in this thread until the end, and
    # asyncio.run() refuses to run another one.
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
    if hasattr(config, "workerinput"):
        # A long file that one worker begins last keeps all others waiting; and a test that wants to
        # be alone does so for as long as the longest that another one is at.
        alone = {item.path for item in items if item.get_closest_marker("alone")}
        items.sort(key=lambda item: (item.path in alone, not is_slow(item)))
    skip_without_browser(items)


def is_slow(item: pytest.Item) -> bool:
    """What drives a page comes last all the same: a worker takes whole files, see above."""
    in_a_page = "page" in getattr(item, "fixturenames", ())
    return item.get_closest_marker("slow") is not None and not in_a_page


def skip_without_browser(items: list[pytest.Item]) -> None:
    """Skip the browser tests by name where there is no browser."""
    wanted = [item for item in items if item.get_closest_marker("browser")]
    if not wanted or find_browser():
        return
    reason = "no Chromium: apt-get install chromium-headless-shell"
    for item in wanted:
        item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Have no other worker run a test while one runs that is marked `alone`."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    alone = item.get_closest_marker("alone") is not None
    folder = Path(item.config.stash[shared_key]["folder"])
    with open_lock(folder / "door.lock") as door, open_lock(folder / "room.lock") as room:
        # Who wants to be alone waits inside the door, so that nobody slips past.
        lock(door)
        lock(room, shared=not alone)
        door.close()
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if skipped_in_ci(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    terminalreporter.write_line(f"Ran on {services(config)}")
    for report in skipped_in_ci(config):
        terminalreporter.write_line(f"Skipped, which CI does not allow: {report.nodeid}", red=True)


def skipped_in_ci(config: pytest.Config) -> list[pytest.TestReport]:
    """Return the tests that CI should have run; from outside (--base-url) some cannot."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if not CI or reporter is None or config.getoption("base_url", None):
        return []
    skipped: list[pytest.TestReport] = reporter.stats.get("skipped", [])
    return skipped


@pytest.fixture(autouse=True)
def _empty_redis(request: pytest.FixtureRequest) -> Iterator[None]:
    """Start every test with an empty Redis, and with a running one: some tests end it.

    And leave it alone afterwards: what copies keys in this process asks whenever it was emptied.
    """
    from django_redis import get_redis_connection

    from jwt_api import denylist
    from sessions_api import store

    embedded_redis.ensure_running(request.config.stash[var_dir_key])
    get_redis_connection("auth").flushall()
    yield
    store.mirror.stop()
    denylist.mirror.stop()


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Have Playwright drive the browser that the machine has."""
    # Chromium's own sandbox refuses to run as root, as in containers.
    sandbox = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return {
        **browser_type_launch_args,
        "executable_path": str(find_browser()),
        "args": [*BROWSER_FLAGS, *sandbox],
    }


@pytest.fixture
def lab(settings: "Settings") -> Iterator[None]:
    """The site as it is with `LAB=1`: URLs are read anew, and once more afterwards."""
    settings.LAB = True
    read_urls_anew()
    yield
    settings.LAB = False
    read_urls_anew()


def read_urls_anew() -> None:
    from importlib import import_module, reload

    from django.urls import clear_url_caches

    reload(import_module("authdemo.urls"))
    clear_url_caches()


@pytest.fixture(params=[False, True], ids=["autocommit", "ATOMIC_REQUESTS"])
def atomic_requests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Run with Django's ATOMIC_REQUESTS off, and on.

    Surprise: it is read of a connection's settings, which overriding `settings` does not reach.
    All threads' connections have the same dictionary.
    """
    from django.db import connection, connections

    assert connections.settings["default"] is connection.settings_dict
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", request.param)
    return request.param


# --- who takes part, where no suite has people of its own -----------------------------------


@pytest.fixture
def server(settings: "Settings") -> Iterator["PrivateRedis"]:
    """A running Redis that the site uses for this test."""
    from tests.outages import private_redis

    with private_redis(settings) as server:
        yield server


@pytest.fixture
def ada(db: None) -> "User":
    from tests.accounts.people import make

    return make("ada")


@pytest.fixture
def grace(db: None) -> "User":
    from tests.accounts.people import make

    return make("grace")


@pytest.fixture
def mallory(db: None) -> "User":
    from tests.accounts.people import make

    return make("mallory")
