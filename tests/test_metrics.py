"""Does one scrape see what every worker has counted? Asked of the real server, and of the code.

The server runs as an operator would run it who looks closely: LOG_LEVEL=DEBUG, DEBUG=1.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from django.test import Client
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from pytest_django import Settings

from accounts import metrics
from accounts.client import FlowClient, Refused, authorities
from accounts.contract.registry import flows
from accounts.models import AuthEvent

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run on this system"),
]

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 4


class Server:
    """The site on several workers, and all that it has printed."""

    def __init__(self, folder: Path, *command: str, **environ: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = folder / "output"
        self.metrics = folder / "var" / "metrics"
        with self.output.open("a") as file:
            self.process = subprocess.Popen(
                [sys.executable, *(part.format(port=self.port) for part in command)],
                cwd=ROOT,
                env={
                    **os.environ,
                    "DJANGO_SETTINGS_MODULE": "authdemo.settings",
                    "VAR_DIR": str(folder / "var"),
                    "WEB_WORKERS": str(WORKERS),
                    **environ,
                },
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 40
        while True:
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            try:
                httpx.get(f"{self.url}/healthz", verify=authorities())
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return

    def said(self) -> str:
        return self.output.read_text()

    def scrape(self) -> dict[str, float]:
        """`{'authdemo_logins_total{flow="jwt",result="success"}': 3.0, …}`"""
        answer = httpx.get(f"{self.url}/metrics", verify=authorities()).raise_for_status()
        assert answer.headers["Content-Type"].startswith("text/plain")
        lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def counting(self) -> set[int]:
        """The processes that have counted something."""
        return {int(re.sub(r"\D", "", file.stem)) for file in self.metrics.glob("*.db")}

    def send_raw(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            return connection.recv(4096)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def serve(*command: str, **environ: str) -> Server:
        server = Server(tmp_path, *command, **environ)
        servers.append(server)
        server.wait_until_ready()
        return server

    yield serve
    for server in servers:
        if server.process.poll() is None:
            server.stop()


DEMO = ("manage.py", "demo", "--port", "{port}")
GUNICORN = (
    "-m",
    "gunicorn",
    "--config=python:authdemo.gunicorn_config",
    "--bind=127.0.0.1:{port}",
    "authdemo.wsgi",
)


@contextmanager
def logged_in(server: Server, jobs: list[tuple[str, str]]) -> Iterator[list[FlowClient]]:
    """Log in, refresh and log out, eight at a time: `(flow, user's name)` for each login."""

    def live(job: tuple[str, str]) -> FlowClient:
        flow, name = job
        client = FlowClient(server.url, flow)
        client.login(name, f"{name}-demo-password")
        client.refresh()
        client.logout()
        return client

    with ThreadPoolExecutor(8) as pool:
        clients = list(pool.map(live, jobs))
    yield clients
    for client in clients:
        client.http.close()


@pytest.mark.thorough
def test_every_login_is_counted_whichever_worker_took_it(serve: Callable[..., Server]) -> None:
    server = serve(*DEMO, LOG_LEVEL="DEBUG", DEBUG="1")
    logins = {flow.key: 5 + number for number, flow in enumerate(flows())}
    names = ("ada", "grace", "mallory")
    jobs = [(flow, names[i % 3]) for flow, count in logins.items() for i in range(count)]
    with logged_in(server, jobs) as clients:
        with pytest.raises(Refused):
            clients[0].login("ada", "not-the-password")
        found = server.scrape()
        assert len(server.counting()) > 1, "else one process would have sufficed"
        flow = clients[0].flow
        assert found.pop(f'authdemo_logins_total{{flow="{flow}",result="failure"}}') == 1
        assert found.pop(f'authdemo_refusals_total{{code="bad_login",flow="{flow}"}}') == 1
        expected = {
            name.replace("KEY", key): count
            for key, count in logins.items()
            for name in (
                'authdemo_logins_total{flow="KEY",result="success"}',
                'authdemo_refreshes_total{flow="KEY"}',
                'authdemo_revocations_total{by="logout",flow="KEY"}',
            )
        }
        assert found == expected
        assert_death_loses_no_count(server, expected)
        assert_says_no_secret(server, clients)


def assert_death_loses_no_count(server: Server, expected: dict[str, int]) -> None:
    worker = min(server.counting())
    os.kill(worker, signal.SIGKILL)
    while Path(f"/proc/{worker}").exists():
        time.sleep(0.05)
    found = server.scrape()
    assert {name: found[name] for name in expected} == expected


def assert_says_no_secret(server: Server, clients: list[FlowClient]) -> None:
    """R94, A53: what gunicorn prints is as clean as what Django logs, at DEBUG=1 too."""
    quoted = (
        b"GET /x?access_token=a-short-token\r\n\r\n",
        b"GET /x?access_token=a-short-token HTTP/9.9\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization Bearer a-short-token\r\n\r\n",
        b"GET /x HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\r\n Bearer a-short-token\r\n\r\n",
    )
    for request in quoted:
        assert server.send_raw(request).startswith(b"HTTP/1.1 400"), request
    httpx.get(f"{server.url}/api/jwt/me/?access_token=a-short-token")
    httpx.get(f"{server.url}/nothing?access_token=a-short-token")
    said = server.said()
    log = said.partition("these passwords are for this machine only.")[2]
    assert log.count("Invalid request from ip=127.0.0.1") == len(quoted)
    assert log.count("Not Found") == 1, "Django's own handlers would write it once more"
    assert "a-short-token" not in log
    held = {value for client in clients for value in dict(client.http.cookies).values()}
    held |= {client.csrf_token or "" for client in clients}
    assert len(held) > len(clients)
    assert not [value for value in held if value and value in log]
    assert "demo-password" not in log
    assert "argon2" not in log, "the hash of a password"
    assert "not-the-password" not in log


def test_gunicorn_with_the_sites_own_configuration_counts_and_logs_alike(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    """The README's way to run it; what a former server has counted is forgotten."""
    folder = tmp_path / "var" / "metrics"
    folder.mkdir(parents=True)
    former = MmapedDict(str(folder / "counter_1.db"))
    former.write_value(mmap_key("authdemo_reuses", "authdemo_reuses_total", [], [], ""), 7.0, 0.0)
    former.close()
    server = serve(*GUNICORN, METRICS="1", GUNICORN_CMD_ARGS="--workers=2 --access-logfile=-")
    for _ in range(8):
        httpx.post(f"{server.url}/api/jwt/logout/?access_token=a-short-token")
    assert server.scrape() == {'authdemo_refusals_total{code="csrf_failed",flow="jwt"}': 8}
    server.send_raw(b"GET /x?access_token=a-short-token\r\n\r\n")
    server.stop()
    said = server.said()
    assert "POST /api/jwt/logout/ 403" in said, "the access log is on"
    assert '"event": "Invalid request from ip=127.0.0.1: Invalid HTTP request line"' in said
    assert "a-short-token" not in said


def test_without_metrics_there_is_no_such_page(
    client: Client, settings: Settings, tmp_path: Path
) -> None:
    assert settings.METRICS is False
    assert client.get("/metrics").status_code == 404
    assert not settings.METRICS_DIR.exists(), "and nothing is written"


def test_every_event_of_the_audit_trail_is_counted() -> None:
    assert metrics.OF_EVENT.keys() == {kind.value for kind in AuthEvent.Kind}


def test_labels_are_words_of_this_project() -> None:
    """Threat: a user's name, an address or a device in a label is personal data for everybody."""
    counters = {counter for counter, _ in metrics.OF_EVENT.values()}
    counters |= {metrics.REFUSALS, metrics.STORE_ERRORS}
    labels = {label for counter in counters for label in counter._labelnames}
    assert labels == {"flow", "result", "by", "code", "store", "what"}


def test_nobody_is_kept_from_logging_in_by_a_counter(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(**labels: str) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(metrics.REFRESHES, "labels", full)
    metrics.count_event("refresh", "jwt")
    assert "not counted: OSError" in caplog.text
