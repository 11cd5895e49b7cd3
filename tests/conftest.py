"""What does a test run stand on? Real Redis, a real database, and nothing of the developer's own.

No `.env`, no `var/` and no exported setting of the developer reaches the
tests: what they need lives in a temporary directory that goes with the run.
"""

import os
import re
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import django
import pytest

from authdemo import embedded_redis, redis_facts
from authdemo.browser import find_browser
from tests.postgres_server import start_postgres

SETTINGS_FILE = Path(__file__).resolve().parent.parent / "authdemo" / "settings.py"
CI = os.environ.get("CI", "").lower() in ("1", "true")
BROWSER_FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
var_dir_key = pytest.StashKey[Path]()
services_key = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres", action="store_true", help="run on a real PostgreSQL instead of SQLite"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Prepare the environment before anything imports the settings."""
    var_dir = Path(tempfile.mkdtemp(prefix="authdemo-tests-"))
    config.stash[var_dir_key] = var_dir
    config.add_cleanup(lambda: shutil.rmtree(var_dir, ignore_errors=True))
    for name in re.findall(r"env\.\w+\(\s*\"(\w+)\"", SETTINGS_FILE.read_text()):
        os.environ.pop(name, None)
    os.environ.update(
        DJANGO_SETTINGS_MODULE="tests.settings",
        ENV_FILE=os.devnull,
        VAR_DIR=str(var_dir),
        # Playwright runs an event loop in the test's thread; Django then refuses the database.
        DJANGO_ALLOW_ASYNC_UNSAFE="true",
    )
    database = f"SQLite {sqlite3.sqlite_version}"
    if config.getoption("--postgres"):
        server = start_postgres(var_dir)
        config.add_cleanup(server.stop)
        # The server goes with the run. Dropping its database first would fail while a thread of
        # a live server still holds a connection.
        config.option.reuse_db = True
        os.environ["DATABASE_URL"] = server.url
        database = f"PostgreSQL {server.version}"
    embedded_redis.ensure_running(var_dir)
    config.add_cleanup(lambda: stop_redis(var_dir))
    redis = redis_facts.describe(embedded_redis.url(var_dir))
    config.stash[services_key] = f"database: {database}; Redis: {redis.kind} {redis.version}"
    # pytest-django sets Django up before this conftest is read, or else not at all.
    django.setup()


def stop_redis(var_dir: Path) -> None:
    embedded_redis.release(var_dir)
    embedded_redis.wait_until_gone(var_dir)


def pytest_report_header(config: pytest.Config) -> str:
    return config.stash[services_key]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--postgres"):
        marks = ("once", "browser")
        once = [item for item in items if any(map(item.get_closest_marker, marks))]
        items[:] = [item for item in items if item not in once]
        config.hook.pytest_deselected(items=once)
    skip_without_browser(items)


def skip_without_browser(items: list[pytest.Item]) -> None:
    """Skip the browser tests by name where there is no browser; in CI that is an error."""
    wanted = [item for item in items if item.get_closest_marker("browser")]
    if not wanted or find_browser():
        return
    reason = "no chromium or google-chrome on PATH, and none of Playwright's"
    if CI:
        raise pytest.UsageError(f"{len(wanted)} browser tests cannot run: {reason}")
    for item in wanted:
        item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if skipped_in_ci(session.config) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    terminalreporter.write_line(f"Ran on {config.stash[services_key]}")
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
def _empty_redis(request: pytest.FixtureRequest) -> None:
    """Start every test with an empty Redis, and with a running one: some tests end it."""
    from django_redis import get_redis_connection

    embedded_redis.ensure_running(request.config.stash[var_dir_key])
    get_redis_connection("auth").flushall()


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
