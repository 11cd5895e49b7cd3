"""Every illness that the doctor knows is found, named and given its cure."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from pytest_django.fixtures import Settings

from accounts.models import User
from authdemo import embedded_redis
from authdemo.doctor import configuration, machine, services
from authdemo.doctor.finding import Finding, ok
from authdemo.file_lock import lock, open_lock
from authdemo.management.commands import doctor
from authdemo.redis_facts import RedisFacts
from tests.outages import redis_at, simulated_redis

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent


def run_doctor(
    var_dir: Path, *arguments: str, **environ: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "doctor", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "authdemo.settings",
            "VAR_DIR": str(var_dir),
            "PORT": str(free_port()),
            **environ,
        },
        capture_output=True,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_fresh_checkout_is_well_and_stays_untouched(tmp_path: Path) -> None:
    finished = run_doctor(tmp_path, "--json")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    findings = {finding["check"]: finding for finding in json.loads(finished.stdout)}
    assert list(findings) == list(doctor.all_checks())
    assert all(set(f) == {"check", "status", "detail", "fix"} for f in findings.values())
    assert "`make run` starts it" in findings["redis"]["detail"]
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]
    assert not embedded_redis.socket_path(tmp_path).parent.exists()


@pytest.mark.alone
def test_everything_away_is_told_in_time_and_without_a_traceback(tmp_path: Path) -> None:
    away = f"127.0.0.1:{free_port()}"
    before = time.monotonic()
    finished = run_doctor(
        tmp_path,
        REDIS_URL=f"redis://:secret@{away}/0",
        DATABASE_URL=f"postgres://a:secret@{away}/x",
    )
    assert time.monotonic() - before < 30  # it ends; how soon is the machine's
    assert finished.returncode == 1
    assert finished.stderr == ""
    sick = [line.split()[1] for line in finished.stdout.splitlines() if line.startswith("problem")]
    assert sick == ["redis", "database", "migrations"]
    assert "secret" not in finished.stdout.replace("secret key", "").replace("secret_key", "")


@pytest.mark.alone
def test_a_server_that_accepts_and_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        before = time.monotonic()
        finished = run_doctor(tmp_path, REDIS_URL=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
    assert time.monotonic() - before < 30  # it ends; how soon is the machine's
    assert finished.returncode == 1
    assert "problem  redis" in finished.stdout


def test_a_check_that_fails_itself_is_a_problem() -> None:
    def fall_over() -> Finding:
        raise ZeroDivisionError("oh")

    finding = doctor.find("redis", fall_over)
    assert (finding.status, finding.detail) == ("problem", "could not be looked at: oh")


def test_a_problem_sets_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        doctor, "all_checks", lambda: {"a": lambda: Finding("a", "problem", "x", "y")}
    )
    with pytest.raises(SystemExit) as end:
        call_command("doctor")
    assert end.value.code == 1
    assert capsys.readouterr().out.split() == ["problem", "a", "x", "→", "y"]


def test_warnings_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "all_checks", lambda: {"a": lambda: Finding("a", "warning", "x")})
    call_command("doctor")


def asked(**known: Any) -> services.Services:
    """Services that have been asked already and answered so."""
    answer: Any = SimpleNamespace(database_problem="", has_database=True, **known)
    return answer


@pytest.mark.parametrize(
    ("facts", "status", "word"),
    [
        (RedisFacts("real", "there", "7.2.4"), "ok", "real, version 7.2.4"),
        (RedisFacts("real", "there", "unknown"), "ok", "unknown"),
        (RedisFacts("real", "there", "5.0.14"), "problem", "5.0.14"),
        (RedisFacts("real", "there", "7.2.4", eviction="allkeys-lru"), "warning", "allkeys-lru"),
        (RedisFacts("simulated", "there"), "warning", "simulated"),
        (RedisFacts("none", "there", problem="refused"), "problem", "refused"),
    ],
)
def test_a_given_redis(settings: Settings, facts: RedisFacts, status: str, word: str) -> None:
    settings.REDIS_URL = "redis://there"
    finding = services.check_redis(asked(redis=facts))
    assert finding.status == status
    assert word in finding.detail


def test_the_running_embedded_redis_is_described() -> None:
    finding = services.check_redis(services.Services())
    assert finding.status == "ok"
    assert finding.detail.startswith("embedded, real, version ")


def test_no_redis_server_at_all_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_redis, "find_binary", lambda: None)
    finding = services.check_redis(services.Services())
    assert finding.status == "warning"
    assert "simulated" in finding.detail


@pytest.mark.parametrize(
    ("revocation", "status"), [("expiry", "warning"), ("lookup", "problem"), ("push", "problem")]
)
def test_a_denylist_must_not_be_evicted(settings: Settings, revocation: str, status: str) -> None:
    settings.REDIS_URL, settings.JWT_REVOCATION = "redis://there", revocation
    facts = RedisFacts("real", "there", "7.2.4", eviction="allkeys-lru")
    assert services.check_redis(asked(redis=facts)).status == status


def test_whether_redis_announces_what_changes(settings: Settings) -> None:
    assert "not asked for" in services.check_push(services.Services()).detail
    settings.SESSION_CHECK = "push"
    finding = services.check_push(services.Services())
    assert (finding.status, finding.detail) == (
        "ok",
        "Redis announces what changes, for SESSION_CHECK",
    )
    away = asked(redis=RedisFacts("none", "there", problem="refused"))
    assert services.check_push(away).status == "warning"


def test_a_redis_that_cannot_announce_is_told_of(settings: Settings) -> None:
    settings.JWT_REVOCATION = "push"
    with simulated_redis() as url, redis_at(url):
        finding = services.check_push(services.Services())
    assert finding.status == "warning"
    assert "asked for each request" in finding.detail


@pytest.mark.parametrize(
    ("offset", "status"), [(0.1, "ok"), (-5.0, "warning"), (31.0, "problem"), (-31.0, "problem")]
)
def test_the_clock(offset: float, status: str) -> None:
    redis = RedisFacts("real", "there", "7", clock_offset_seconds=offset)
    assert services.check_clock(asked(redis=redis)).status == status


@pytest.mark.django_db
def test_the_database_and_its_migrations() -> None:
    assert services.check_database(services.Services()).status == "ok"
    assert services.check_migrations(services.Services()).status == "ok"
    [newest] = MigrationLoader(connection).graph.leaf_nodes("jwt_api")
    MigrationRecorder(connection).record_unapplied(*newest)
    finding = services.check_migrations(services.Services())
    assert finding.status == "problem"
    assert ".".join(newest) in finding.detail


@pytest.mark.parametrize(
    ("secret", "mode", "status"),
    [("s" * 50, 0o600, "ok"), ("s" * 50, 0o640, "problem"), ("s" * 49, 0o600, "problem")],
)
def test_the_secret_key(
    settings: Settings, tmp_path: Path, secret: str, mode: int, status: str
) -> None:
    settings.VAR_DIR = tmp_path
    settings.SECRET_KEY = secret
    (tmp_path / "secret_key").write_text(secret)
    (tmp_path / "secret_key").chmod(mode)
    assert configuration.check_secret_key().status == status


@pytest.mark.parametrize(("mode", "status"), [(0o600, "ok"), (0o644, "problem")])
def test_the_jwt_keys(settings: Settings, tmp_path: Path, mode: int, status: str) -> None:
    settings.JWT_KEYS_DIR = tmp_path
    (tmp_path / "1.pem").touch(mode)
    (tmp_path / "1.pem").chmod(mode)
    assert configuration.check_jwt_keys().status == status


@pytest.mark.parametrize(
    ("secure", "https", "hosts", "status"),
    [
        (True, True, ["www.example.com"], "ok"),
        (True, False, ["127.0.0.1"], "ok"),
        (True, False, ["www.example.com"], "warning"),
        (False, False, ["127.0.0.1"], "warning"),
        (False, True, ["www.example.com"], "problem"),
    ],
)
def test_the_cookies(
    settings: Settings, secure: bool, https: bool, hosts: list[str], status: str
) -> None:
    settings.COOKIE_SECURE, settings.HTTPS, settings.ALLOWED_HOSTS = secure, https, hosts
    assert configuration.check_cookies().status == status


@pytest.mark.parametrize(
    ("lab", "hosts", "status"),
    [
        (True, ["127.0.0.1", "localhost"], "ok"),
        (True, ["www.example.com"], "problem"),
        (False, ["127.0.0.1"], "ok"),
        (False, ["www.example.com"], "ok"),
    ],
)
@pytest.mark.django_db
def test_the_lab(settings: Settings, lab: bool, hosts: list[str], status: str) -> None:
    settings.LAB, settings.ALLOWED_HOSTS = lab, hosts
    assert configuration.check_lab(services.Services()).status == status


@pytest.mark.django_db
def test_demo_passwords_left_on_a_public_site(settings: Settings) -> None:
    settings.LAB, settings.ALLOWED_HOSTS = False, ["www.example.com"]
    User.objects.create_user("ada", password="ada-demo-password")
    User.objects.create_user("grace", password="a password of her own")
    finding = configuration.check_lab(services.Services())
    assert finding.status == "problem"
    assert "ada" in finding.detail
    assert "grace" not in finding.detail


def test_a_taken_port(settings: Settings, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings.PORT = other.getsockname()[1]
        finding = machine.check_port()
        assert finding.status == "problem"
        assert finding.detail == f"Port {settings.PORT} is taken by another program"
        with open_lock(tmp_path / "demo.lock") as running:
            lock(running)
            assert machine.check_port().status == "ok"
    assert machine.check_port() == ok("port", f"{settings.PORT} is free")


def test_static_files(settings: Settings, tmp_path: Path) -> None:
    assert machine.check_static_files().status == "ok"
    settings.STATIC_ROOT = tmp_path
    assert machine.check_static_files().status == "problem"
    (tmp_path / "accounts").mkdir()
    (tmp_path / "accounts" / "style.css").touch()
    assert machine.check_static_files().status == "ok"


def test_a_missing_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "find_browser", lambda: None)
    assert machine.check_browser().status == "warning"


def test_other_versions_than_the_tested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.1")
    finding = machine.check_packages()
    assert finding.status == "warning"
    assert "Django 0.1 (tested with " in finding.detail


def test_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authdemo.bootstrap.missing", lambda file: ["Django"])
    assert machine.check_packages().status == "problem"


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1_000_000))
    finding = machine.check_var()
    assert finding.status == "problem"
    assert "only 1 MB" in finding.detail
