"""One command sets everything up and serves; one Ctrl-C, or worse, leaves nothing running."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from django.core.management import CommandError, call_command
from pytest_django.fixtures import Settings

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc"),
]

ROOT = Path(__file__).resolve().parent.parent
Demo = Callable[..., "subprocess.Popen[str]"]


def processes_of(var_dir: Path) -> set[int]:
    """Return every live process of the demo that keeps its data in `var_dir`."""
    mine, parents = set(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            environ = (folder / "environ").read_bytes()
        except OSError:
            continue
        if state != "Z":
            parents[int(folder.name)] = int(parent)
            if f"VAR_DIR={var_dir}\0".encode() in environ:
                mine.add(int(folder.name))
    # Redis writes its title over its environment; it is the supervisor's child.
    return mine | {pid for pid, parent in parents.items() if parent in mine}


def wait_until_gone(var_dir: Path, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while left := processes_of(var_dir):
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)


@pytest.fixture
def start_demo(tmp_path: Path) -> Iterator[Demo]:
    """Start the demo as a terminal would: in a process group of its own."""
    started = []

    def start(*arguments: str, **environ: str) -> "subprocess.Popen[str]":
        demo = subprocess.Popen(
            [sys.executable, "manage.py", "demo", *(arguments or ("--port", "0"))],
            cwd=ROOT,
            env={
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "authdemo.settings",
                "VAR_DIR": str(tmp_path),
                "WEB_WORKERS": "2",
                **environ,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(demo)
        return demo

    yield start
    for demo in started:
        demo.kill()
        demo.communicate()
    wait_until_gone(tmp_path)


def read_url(demo: "subprocess.Popen[str]") -> str:
    """Read what the demo says until it names its address."""
    assert demo.stdout is not None
    lines = []
    for line in demo.stdout:
        lines.append(line)
        if found := re.search(r"is at (http://\S+)", line):
            return found[1]
    raise AssertionError("".join(lines))


def log_in(url: str) -> httpx.Response:
    with httpx.Client(base_url=url) as client:
        token = client.get("/api/csrf/")
        return client.post(
            "/api/sessions/login/",
            json={"username": "ada", "password": "ada-demo-password"},
            headers={
                "X-CSRFToken": token.json()["csrf_token"],
                # httpx, unlike browsers, holds Secure cookies back from plain HTTP on loopback.
                "Cookie": token.headers["set-cookie"].partition(";")[0],
            },
        )


def test_it_says_what_it_started_and_ctrl_c_ends_all_of_it(
    start_demo: Demo, tmp_path: Path
) -> None:
    demo = start_demo()
    url = read_url(demo)
    assert log_in(url).status_code == 200
    # the master, two workers (of which one may be late), Redis and its supervisor
    while len(processes_of(tmp_path)) < 5:
        time.sleep(0.05)
    os.killpg(demo.pid, signal.SIGINT)
    said, _ = demo.communicate(timeout=15)
    assert demo.returncode == 0
    assert processes_of(tmp_path) == set()
    assert "Traceback" not in said
    assert said.splitlines()[-1] == f"Stopped. Your data are kept in {tmp_path}/."
    for expected in ("Redis      real, version ", "ada-demo-password", f"{url}/jwt/login/"):
        assert expected in said


def test_a_second_start_keeps_the_data(start_demo: Demo, tmp_path: Path) -> None:
    first = start_demo()
    answer = log_in(read_url(first))
    cookies = answer.headers.get_list("set-cookie")
    session = next(c for c in cookies if "sessionid=" in c).partition(";")[0]
    first.terminate()
    assert first.wait(timeout=15) == 0
    second = start_demo()
    url = read_url(second)
    assert httpx.get(f"{url}/api/sessions/me/", headers={"Cookie": session}).status_code == 200


def test_killing_the_master_leaves_nothing(start_demo: Demo, tmp_path: Path) -> None:
    demo = start_demo()
    httpx.get(f"{read_url(demo)}/healthz")
    demo.kill()
    wait_until_gone(tmp_path)


def test_closing_the_terminal_ends_it(start_demo: Demo, tmp_path: Path) -> None:
    demo = start_demo()
    httpx.get(f"{read_url(demo)}/healthz")
    demo.send_signal(signal.SIGHUP)
    assert demo.wait(timeout=15) == 0
    assert processes_of(tmp_path) == set()


def test_ctrl_c_while_setting_up_ends_calmly(start_demo: Demo, tmp_path: Path) -> None:
    demo = start_demo()
    while not (tmp_path / "demo.lock").exists():
        time.sleep(0.01)
    time.sleep(0.3)
    os.killpg(demo.pid, signal.SIGINT)
    said, _ = demo.communicate(timeout=15)
    assert demo.returncode == 0
    assert "Traceback" not in said
    wait_until_gone(tmp_path)


def test_a_second_demo_is_sent_to_the_first(start_demo: Demo) -> None:
    first = start_demo()
    url = read_url(first)
    said, _ = start_demo().communicate(timeout=15)
    assert said == (
        f"CommandError: The demo of this checkout already runs at {url} (process {first.pid}). "
        "Stop it there with Ctrl-C.\n"
    )


def test_a_taken_port_is_named(start_demo: Demo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        demo = start_demo("--verbosity", "1", PORT=str(port))
        said, _ = demo.communicate(timeout=15)
    assert demo.returncode == 1
    assert said == (
        f"CommandError: Port {port} is taken by another program. "
        f"Choose another: PORT={port + 1} make run\n"
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_a_host_that_others_can_reach_is_refused(host: str, settings: Settings) -> None:
    settings.LAB = True
    with pytest.raises(CommandError, match="can be reached by others"):
        call_command("demo", host=host, skip_checks=True)


def test_without_the_lab_there_is_no_demo(settings: Settings) -> None:
    settings.LAB = False
    with pytest.raises(CommandError, match="LAB=1"):
        call_command("demo", skip_checks=True)


def test_a_redis_that_does_not_answer_is_named(start_demo: Demo) -> None:
    demo = start_demo(REDIS_URL="redis://:secret@127.0.0.1:1/0")
    said, _ = demo.communicate(timeout=15)
    assert demo.returncode == 1
    assert "CommandError: REDIS_URL: no answer at redis://127.0.0.1:1/0" in said
    assert "secret" not in said
    assert "Traceback" not in said


def test_a_refused_setting_is_one_sentence(start_demo: Demo) -> None:
    demo = start_demo(WEB_WORKERS="many")
    said, _ = demo.communicate(timeout=15)
    assert demo.returncode == 1
    assert said.startswith("The configuration is refused: WEB_WORKERS")
    assert said.count("\n") == 1
