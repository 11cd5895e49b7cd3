"""Does the benchmark measure what it says, refuse what it cannot, and leave nothing behind?"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.management import CommandError, call_command

from lab.benchmark.run.measuring import crossover
from lab.benchmark.run.measuring.request import is_whole
from lab.benchmark.run.plan import Readings
from lab.benchmark.run.wrk import read
from lab.staging import redis_server
from lab.staging.processes import StageError
from tests.outages import simulated_redis

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
# In the environment of whatever a benchmark of this run has started.
MARK = "BENCHMARK_TEST_MARK"


def start(var_dir: Path, mark: str, *arguments: str) -> "subprocess.Popen[str]":
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",  # a fast hasher: nobody's hashing is tested
        "ENV_FILE": os.devnull,
        "VAR_DIR": str(var_dir),
        "DATABASE_URL": f"sqlite:///{var_dir}/never-made.sqlite3",
        "REDIS_URL": "",
        MARK: mark,
    }
    command = [sys.executable, "manage.py", "benchmark", "--workers=2", *arguments]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def left_over(mark: str) -> list[str]:
    """The commands of processes that are still there some seconds later."""
    deadline = time.monotonic() + 20
    while (found := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def marked(mark: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={mark}".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it has just ended, or is somebody else's
            continue
    return found


def rows_of(report: Path) -> dict[tuple[str, str], list[float]]:
    """Those of whoami."""
    rows = json.loads(report.read_text())["rows"]
    return {
        (row["measure"], row["subject"]): row["values"]
        for row in rows
        if "call" not in row["parameters"]
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"subjects": ["nobody"]}, "There is no subject 'nobody'. There are: "),
        ({"workers": 0}, "--workers is 1 or more, not 0."),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(options: dict[str, Any], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("benchmark", **options)


def test_a_measure_that_does_not_exist_is_refused_by_the_names_of_those_that_do() -> None:
    with pytest.raises(CommandError, match=r"invalid choice: 'charm'.*revoke"):
        call_command("benchmark", "--only", "charm")


@pytest.fixture
def simulated() -> Iterator[str]:
    with simulated_redis() as url:
        yield url


def test_simulated_redis_is_refused_and_the_reader_is_told_why(
    simulated: str, tmp_path: Path
) -> None:
    mark = secrets.token_hex(8)
    process = start(tmp_path, mark, "--redis", simulated)
    said, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "is simulated" in said
    assert "nothing found with it would say anything" in said
    assert "Traceback" not in said
    assert left_over(mark) == []


def test_a_redis_with_keys_of_others_is_refused_and_stays_as_it_is(settings: Any) -> None:
    url = settings.CACHES["auth"]["LOCATION"]
    with redis.Redis.from_url(url) as client:
        client.set("somebody:else", "1")
        with pytest.raises(StageError, match="keys that are not the benchmark's"):
            redis_server.refuse_unfit(url)
        assert client.get("somebody:else") == b"1"


def test_a_redis_that_does_not_answer_is_named() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(StageError, match="No Redis answers at redis://127"):
            redis_server.refuse_unfit(f"redis://127.0.0.1:{nobody.getsockname()[1]}/0")


def told_by_wrk(**others: int) -> str:
    told = {"requests": 180, "seconds": 0.5, "bytes_read": 149040, "errors": 0}
    latencies = {f"latency_{which}": 4.6 for which in ("mean", "p50", "p95", "p99")}
    return f"noise\n{json.dumps(told | latencies | others)}\n"


def test_refused_requests_are_no_figure() -> None:
    with pytest.raises(StageError, match="1 of 180 requests were refused"):
        read(told_by_wrk(errors=1), "http://127.0.0.1/")


def test_one_failed_request_of_many_is_counted_and_no_reason_to_stop() -> None:
    assert read(told_by_wrk(errors=1, requests=1000), "http://127.0.0.1/").errors == 1
    assert read(told_by_wrk(), "http://127.0.0.1/").errors == 0


def test_repetitions_of_one_figure_are_one_row() -> None:
    readings = Readings()
    for value in (3.0, 1.0):
        readings.add("login", "jwt-expiry", "ms", value, workers=2)
    readings.add("login", "jwt-expiry", "ms", 2.0, workers=4)

    first, second = readings.rows()

    assert (first.values, first.parameters) == ([3.0, 1.0], {"workers": 2})
    assert (second.values, second.parameters) == ([2.0], {"workers": 4})


@pytest.mark.parametrize(
    ("url", "target", "through"),
    [
        ("unix:///run/redis.sock?db=3", "/run/redis.sock", "redis://127.0.0.1:7/3"),
        ("redis://:secret@cache:6380/5", "cache:6380", "redis://:secret@127.0.0.1:7/5"),
        ("redis://cache", "cache:6379", "redis://127.0.0.1:7"),
    ],
)
def test_the_wire_stands_before_any_redis(url: str, target: str, through: str) -> None:
    found, url_through = crossover.around(url)

    assert found == target
    assert url_through(7) == through


def test_the_crossover_is_not_measured_over_tls() -> None:
    with pytest.raises(StageError, match="TLS"):
        crossover.around("rediss://cache:6380/0")


def test_what_is_no_report_cannot_be_compared_with(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("benchmark", compare=tmp_path / "none.json")


@pytest.mark.parametrize(
    ("answer", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Len", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", True),
    ],
)
def test_the_bytes_of_an_answer_are_counted_to_its_end(answer: bytes, whole: bool) -> None:
    assert is_whole(answer) is whole


@pytest.mark.slow
@pytest.mark.thorough
def test_what_a_request_costs_is_counted_at_real_servers(tmp_path: Path) -> None:
    mark = secrets.token_hex(8)
    out = tmp_path / "out"
    arguments = ("--quick", "--subjects", "session-redis", "jwt-expiry", "--out", str(out))
    measures = ("--only=request", "--only=revoke", "--only=login", "--only=without_lab")
    process = start(tmp_path, mark, *arguments, *measures)
    said, _ = process.communicate(timeout=100)

    assert process.returncode == 0, said
    report = json.loads((out / "report.json").read_text())
    assert (report["conditions"]["LAB"], report["conditions"]["signing_algorithm"]) == (
        "1",
        "ES256",
    )
    rows = rows_of(out / "report.json")
    # As tests/contract/test_cost.py has them, by the test client.
    assert rows["sql_statements", "session-redis"] == rows["sql_statements", "jwt-expiry"] == [0]
    assert rows["redis_commands", "session-redis"] == [1]
    assert rows["redis_commands", "jwt-expiry"] == [0]
    units = {
        row["subject"]: row["unit"] for row in report["rows"] if row["measure"] == "time_to_revoke"
    }
    assert units == {"session-redis": "ms", "jwt-expiry": "s until exp"}
    for subject in ("session-redis", "jwt-expiry"):
        measured = ("login", "password_hash", "login_beyond_hash")
        ((login,), (hashed,), (beyond,)) = (rows[measure, subject] for measure in measured)
        assert 0 < hashed < login, "the hash is a part of it"
        assert beyond == login - hashed
    # Of the same order: that LAB=0 has answered at all is what is tested here.
    for subject in ("floor", "session-redis", "jwt-expiry"):
        assert 0.2 < rows["times_without_lab", subject][0] < 5
    assert left_over(mark) == []
    assert not (tmp_path / "never-made.sqlite3").exists()


@pytest.mark.slow
@pytest.mark.thorough
def test_ctrl_c_keeps_what_was_measured_and_leaves_no_process(tmp_path: Path) -> None:
    mark = secrets.token_hex(8)
    out = tmp_path / "out"
    measures = ("--only=request", "--only=speed")
    process = start(tmp_path, mark, "--subjects", "jwt-expiry", *measures, "--out", str(out))
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Measuring"):
            break
    time.sleep(5)  # the counted figures take less than a second, the whole of it a minute
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)

    assert process.returncode == 130, said
    report = json.loads((out / "report.json").read_text())
    assert report["interrupted"] is True
    assert rows_of(out / "report.json")["redis_commands", "jwt-expiry"] == [0]
    assert left_over(mark) == []


PEERS = {
    "floor": (0, 0),
    "floor-of-peers": (0, 0),
    "django-sessions": (1, 1),
    "simplejwt": (1, 0),
    "simplejwt-stateless": (0, 0),
    "knox": (2, 0),
    "allauth-session": (1, 2),
    "allauth-jwt": (1, 0),
    "dj-rest-auth": (1, 0),
}


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.timeout(600)  # they are installed first
def test_every_peer_logs_in_and_is_counted(tmp_path: Path) -> None:
    mark = secrets.token_hex(8)
    out = tmp_path / "out"
    subjects = ("jwt-naive", *PEERS)
    arguments = ("--subjects", *subjects, "--out", str(out))
    process = start(tmp_path, mark, *arguments, "--only=request", "--only=floor", "--only=store")
    said, _ = process.communicate(timeout=580)

    assert process.returncode == 0, said
    counted = rows_of(out / "report.json")
    assert {
        subject: (*counted["sql_statements", subject], *counted["redis_commands", subject])
        for subject in PEERS
    } == PEERS
    floors = {subject: counted["times_floor", subject] for subject in PEERS}
    assert {*floors["floor"]} == {1}
    assert {*floors["floor-of-peers"]} == {1}
    # As large as what one of them keeps; of a naive token the server keeps nothing.
    assert counted["credential_bytes_store", "jwt-naive"] == [0]
    stores = {*PEERS} - {"floor", "floor-of-peers", "simplejwt-stateless"}
    assert all(300 < counted["credential_bytes_store", subject][0] < 1000 for subject in stores)
    assert ("credential_bytes_store", "simplejwt-stateless") not in counted
    assert left_over(mark) == []
