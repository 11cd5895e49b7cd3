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

from authdemo import web_server
from authdemo.management.commands import demo as command

pytestmark = [
    pytest.mark.once,
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks into /proc"),
]

ROOT = Path(__file__).resolve().parent.parent


class Demo:
    """A demo started as a terminal does it: in a process group of its own."""

    def __init__(self, output: Path, arguments: tuple[str, ...], environ: dict[str, str]) -> None:
        self.output = output
        with output.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "demo", *arguments],
                cwd=ROOT,
                env=environ,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def url(self) -> str:
        """Wait until it serves; return its address."""
        while not (found := re.search(r"is at (http://\S+)\n", self.said())):
            assert self.process.poll() is None, self.said()
            time.sleep(0.05)
        return found[1]

    def said(self) -> str:
        return self.output.read_text()

    def press_ctrl_c(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self) -> int:
        return self.process.wait(timeout=20)


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
def start_demo(tmp_path: Path, var_dir: Path) -> Iterator[Callable[..., Demo]]:
    started: list[Demo] = []

    def start(*arguments: str, **environ: str) -> Demo:
        demo = Demo(
            tmp_path / f"output-{len(started)}",
            arguments or ("--port", "0"),
            {
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "authdemo.settings",
                "VAR_DIR": str(var_dir),
                "WEB_WORKERS": "2",
                **environ,
            },
        )
        started.append(demo)
        return demo

    yield start
    for demo in started:
        demo.process.kill()
        demo.wait()
    wait_until_gone(var_dir)


@pytest.fixture
def var_dir(tmp_path: Path) -> Path:
    return tmp_path / "var"


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


def test_it_says_what_it_started_and_ctrl_c_ends_all_of_it(start_demo, var_dir: Path) -> None:
    demo = start_demo()
    url = demo.url()
    assert log_in(url).status_code == 200
    # The master, two workers (of which one may be late), Redis and its supervisor.
    while len(processes_of(var_dir)) < 5:
        time.sleep(0.01)
    demo.press_ctrl_c()
    assert demo.wait() == 0
    wait_until_gone(var_dir)
    said = demo.said()
    assert "Traceback" not in said
    assert said.splitlines()[-1] == f"Stopped. Your data are kept in {var_dir}/."
    beside = f"-m jwt_api.verifier --jwks={url}/.well-known/jwks.json --issuer=authdemo"
    for expected in ("Redis      real, version ", "ada-demo-password", f"{url}/jwt/login/", beside):
        assert expected in said


@pytest.mark.thorough
def test_it_serves_scripts_and_styles_that_nobody_collected(start_demo) -> None:
    url = start_demo().url()
    for name in ("accounts/style.css", "jwt_api/flow.js", "sessions_api/flow.js"):
        assert httpx.get(f"{url}/static/{name}").status_code == 200


@pytest.mark.thorough
def test_a_second_start_keeps_the_data(start_demo) -> None:
    first = start_demo()
    cookies = log_in(first.url()).headers.get_list("set-cookie")
    session = next(cookie for cookie in cookies if "sessionid=" in cookie).partition(";")[0]
    first.process.terminate()
    assert first.wait() == 0
    url = start_demo().url()
    assert httpx.get(f"{url}/api/sessions/me/", headers={"Cookie": session}).status_code == 200


@pytest.mark.alone
def test_ctrl_c_is_heard_at_any_moment_of_the_start(start_demo, var_dir: Path) -> None:
    demo = start_demo()
    demo.url()
    for worker in range(1, 3):
        while len(processes_of(var_dir)) < 3 + worker:
            time.sleep(0.001)
    demo.press_ctrl_c()
    before = time.monotonic()
    assert demo.wait() == 0
    assert time.monotonic() - before < 2.9, "a worker did not hear it and had to be killed"


def test_killing_the_master_leaves_nothing(start_demo, var_dir: Path) -> None:
    demo = start_demo()
    httpx.get(f"{demo.url()}/healthz")
    demo.process.kill()
    wait_until_gone(var_dir)


def test_closing_the_terminal_ends_it(start_demo, var_dir: Path) -> None:
    demo = start_demo()
    httpx.get(f"{demo.url()}/healthz")
    demo.process.send_signal(signal.SIGHUP)
    assert demo.wait() == 0
    wait_until_gone(var_dir)


def test_ctrl_c_while_setting_up_ends_calmly(start_demo, var_dir: Path) -> None:
    demo = start_demo()
    while not (var_dir / "demo.lock").exists():
        time.sleep(0.01)
    time.sleep(0.3)
    demo.press_ctrl_c()
    assert demo.wait() == 0
    assert "Traceback" not in demo.said()
    wait_until_gone(var_dir)


def test_ctrl_c_that_a_finalizer_swallowed_still_counts(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    class Garbage:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def serve(*args: object, **options: object) -> int:
        raise AssertionError("it serves")

    monkeypatch.setattr(command, "set_up", lambda: Garbage() and None)
    monkeypatch.setattr(web_server, "serve", serve)
    settings.LAB, settings.VAR_DIR = True, tmp_path
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)  # it is put back
    before = signal.getsignal(signal.SIGINT)
    try:
        call_command("demo", port=0, skip_checks=True)
    finally:
        signal.signal(signal.SIGINT, before)
    assert "Stopped." in capsys.readouterr().out


@pytest.mark.thorough
def test_a_second_demo_is_sent_to_the_first(start_demo) -> None:
    first = start_demo()
    url = first.url()
    second = start_demo()
    assert second.wait() == 1
    assert second.said() == (
        f"CommandError: The demo of this checkout already runs at {url} "
        f"(process {first.process.pid}). Stop it there with Ctrl-C.\n"
    )


def test_a_taken_port_is_named(start_demo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        demo = start_demo("--verbosity", "1", PORT=str(port))
        assert demo.wait() == 1
    assert demo.said() == (
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


def test_a_redis_that_does_not_answer_is_named(start_demo) -> None:
    demo = start_demo(REDIS_URL="redis://:secret@127.0.0.1:1/0")
    assert demo.wait() == 1
    assert "CommandError: REDIS_URL: no answer at redis://127.0.0.1:1/0" in demo.said()
    assert "secret" not in demo.said()
    assert "Traceback" not in demo.said()


def test_a_refused_setting_is_one_sentence(start_demo) -> None:
    demo = start_demo(WEB_WORKERS="many")
    assert demo.wait() == 1
    assert demo.said().startswith("The configuration is refused: WEB_WORKERS")
    assert demo.said().count("\n") == 1
