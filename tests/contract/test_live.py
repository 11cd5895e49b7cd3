"""Does the suite hold against a real deployment as well? A server of its own is asked."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from accounts.client import FlowClient
from lab.differences import difference
from tests.deployment import SERVERS, deployed

pytestmark = [
    pytest.mark.inside("starts a server of its own"),
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.timeout(600),
]
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """gunicorn with two workers."""
    with deployed(tmp_path_factory.mktemp("deployment")) as site:
        yield site.url


@pytest.mark.thorough
@pytest.mark.parametrize(
    "server",
    [
        pytest.param(each, marks=[pytest.mark.full] if each == "waitress" else [])
        for each in SERVERS
    ],
)
def test_the_suite_holds_against_a_deployment(server: str, tmp_path: Path) -> None:
    with deployed(tmp_path, server=server) as site:
        hold_the_suite_against(site.url)
    assert "Traceback" not in (tmp_path / "server.log").read_text()


def run_suite(*options: str) -> subprocess.CompletedProcess[str]:
    """The contract suite, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "tests/contract", *options],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"},
        capture_output=True,
        text=True,
        check=False,
    )


def hold_the_suite_against(address: str) -> None:
    users = (
        "--contract-user=ada:ada-demo-password",
        "--contract-other-user=grace:grace-demo-password",
    )
    # What takes long says nothing new over a network.
    options = ["-m", "not thorough", "-rfs", "-p", "no:cacheprovider", "--tb=short"]
    options.append("--show-capture=no")
    run = run_suite(f"--base-url={address}", *users, *options)
    told = [line for line in run.stdout.splitlines() if not line.startswith("SKIPPED")]
    assert run.returncode == 0, "\n".join(told)[-6000:] + run.stderr[-2000:]
    passed = re.search(r"(\d+) passed", run.stdout)
    assert passed
    assert int(passed[1]) > 100
    skipped = [line for line in run.stdout.splitlines() if line.startswith("SKIPPED")]
    assert skipped
    assert all("not seen from outside: " in line for line in skipped)


@pytest.mark.thorough
def test_what_was_ended_is_ended_in_every_worker(deployment: str, flow: str) -> None:
    """R57: of a hundred requests right after the logout, on fresh connections, none gets in."""
    client = FlowClient(deployment, flow)
    client.login("ada", "ada-demo-password")
    cookies, token = dict(client.http.cookies), client.token
    client.logout()
    client.http.close()

    def ask(method: str, path: str) -> int:
        copy = FlowClient(deployment, flow)
        copy.http.cookies.update(cookies)
        copy.token = token
        with closing(copy.http):
            return copy.send(method, path).status_code

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(ask, ["GET"] * 50, ["whoami/"] * 50))
        renewed = list(pool.map(ask, ["POST"] * 50, ["refresh/"] * 50))
    assert set(seen) == {difference("whoami_after_logout", flow)}
    assert set(renewed) == {401}


@pytest.mark.parametrize("option", ["--base-url=http://127.0.0.1:1", "--contract-user=ada:a"])
def test_a_deployment_needs_its_address_and_two_users(option: str) -> None:
    """Threat: what looked at this checkout instead would be green, and say nothing of that site."""
    run = run_suite(option, "--collect-only")
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--base-url, --contract-user and --contract-other-user: all three" in run.stderr
