"""Does each way to set the site up come out as the settings it means?

A process of its own reads `authdemo/settings.py` with a given environment and says what
came of it.
"""

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as live

ROOT = Path(__file__).resolve().parent.parent
MINUTE, HOUR, DAY = 60, 3600, 86400
SAY = """
import json
from authdemo import settings
print(json.dumps({name: getattr(settings, name) for name in dir(settings) if name.isupper()},
                 default=str))
"""

pytestmark = pytest.mark.once


def run(command: list[str], var_dir: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    known = set(re.findall(r"env\.\w+\(\s*\"(\w+)\"", (ROOT / "authdemo/settings.py").read_text()))
    kept = {name: value for name, value in os.environ.items() if name not in known}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**kept, "VAR_DIR": str(var_dir), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def read_settings(var_dir: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(["-c", SAY], var_dir, **environment)


def settings_with(var_dir: Path, **environment: str) -> dict[str, Any]:
    finished = read_settings(var_dir, **environment)
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


# access, refresh idle, session idle, absolute
PROFILES = {
    "banking": (5 * MINUTE, 15 * MINUTE, 15 * MINUTE, DAY),
    "default": (15 * MINUTE, 7 * DAY, 14 * DAY, 30 * DAY),
    "relaxed": (15 * MINUTE, 30 * DAY, 30 * DAY, 90 * DAY),
}
LIFETIMES = ("ACCESS_SECONDS", "REFRESH_IDLE_SECONDS", "SESSION_IDLE_SECONDS", "ABSOLUTE_SECONDS")


@pytest.mark.parametrize("profile", PROFILES)
def test_profile_names_all_lifetimes(tmp_path: Path, profile: str) -> None:
    found = settings_with(tmp_path, LIFETIME_PROFILE=profile)
    assert tuple(found[name] for name in LIFETIMES) == PROFILES[profile]
    assert found["SESSION_COOKIE_AGE"] == found["SESSION_IDLE_SECONDS"]
    assert found["SIMPLE_JWT"]["ACCESS_TOKEN_LIFETIME"] == str(
        timedelta(seconds=found["ACCESS_SECONDS"])
    )


def test_lifetime_of_its_own_wins_over_the_profile(tmp_path: Path) -> None:
    found = settings_with(tmp_path, LIFETIME_PROFILE="banking", ACCESS_SECONDS="60")
    assert (found["ACCESS_SECONDS"], found["REFRESH_IDLE_SECONDS"]) == (60, 15 * MINUTE)


COOKIES = ("SESSION", "CSRF", "REFRESH", "KNOWN_DEVICE")


def test_cookies_are_host_cookies(tmp_path: Path) -> None:  # R75, R76
    found = settings_with(tmp_path)
    for cookie in COOKIES:
        assert found[f"{cookie}_COOKIE_NAME"].startswith("__Host-")
        assert found[f"{cookie}_COOKIE_SECURE"] is True
    assert found["SESSION_COOKIE_SAMESITE"] == "Lax"
    assert found["REFRESH_COOKIE_SAMESITE"] == "Strict"
    assert found["KNOWN_DEVICE_COOKIE_SAMESITE"] == "Strict"
    assert found["CSRF_COOKIE_HTTPONLY"] is True


def test_cookies_without_secure_do_not_claim_to_be_host_cookies(tmp_path: Path) -> None:
    """A browser drops a `__Host-` cookie that is not Secure: nobody could log in."""
    found = settings_with(tmp_path, COOKIE_SECURE="0")
    for cookie in COOKIES:
        assert not found[f"{cookie}_COOKIE_NAME"].startswith("__")
        assert found[f"{cookie}_COOKIE_SECURE"] is False


def test_https_means_redirect_and_hsts(tmp_path: Path) -> None:  # R86
    found = settings_with(tmp_path, HTTPS="1")
    assert found["SECURE_SSL_REDIRECT"] is True
    assert found["SECURE_HSTS_SECONDS"] >= 365 * DAY
    assert settings_with(tmp_path)["SECURE_HSTS_SECONDS"] == 0, "never on plain http://localhost"


def test_proxys_word_on_https_is_taken_only_from_a_proxy(tmp_path: Path) -> None:
    """Threat: anybody can send `X-Forwarded-Proto: https`."""
    assert settings_with(tmp_path)["SECURE_PROXY_SSL_HEADER"] is None
    behind = settings_with(tmp_path, TRUSTED_PROXIES="1")
    assert behind["SECURE_PROXY_SSL_HEADER"] == ["HTTP_X_FORWARDED_PROTO", "https"]


def test_given_secret_key_is_taken_and_none_is_written(tmp_path: Path) -> None:
    found = settings_with(tmp_path, SECRET_KEY="x" * 60)
    assert found["SECRET_KEY"] == "x" * 60
    assert not (tmp_path / "secret_key").exists()


def test_secret_key_is_made_once(tmp_path: Path) -> None:
    made = [settings_with(tmp_path)["SECRET_KEY"] for _ in range(2)]
    assert made == [(tmp_path / "secret_key").read_text()] * 2


def test_reading_the_settings_makes_no_key_and_starts_nothing(tmp_path: Path) -> None:
    settings_with(tmp_path, SECRET_KEY="x" * 60)
    assert list(tmp_path.iterdir()) == []


def test_debug_and_lab_are_off_unless_asked_for(tmp_path: Path) -> None:
    found = settings_with(tmp_path)
    assert (found["DEBUG"], found["LAB"]) == (False, False)


def test_sqlite_waits_its_turn(tmp_path: Path) -> None:
    """Else 32 parallel refreshes are 31 times "database is locked"."""
    options = settings_with(tmp_path)["DATABASES"]["default"]["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in options["init_command"]


POSTGRES = "postgres://user:secret@db/name"


def test_database_is_not_waited_for_without_end(tmp_path: Path) -> None:
    """Each kind of waiting has its own bound, and one setting moves them all."""
    lite = settings_with(tmp_path, DATABASE_TIMEOUT_SECONDS="4")["DATABASES"]["default"]["OPTIONS"]
    assert lite["timeout"] == 4
    found = settings_with(tmp_path, DATABASE_TIMEOUT_SECONDS="4", DATABASE_URL=POSTGRES)
    options = found["DATABASES"]["default"]["OPTIONS"]
    assert options["connect_timeout"] == 4
    assert options["options"] == "-c lock_timeout=4000"
    assert options["tcp_user_timeout"] == 4000
    assert options.keys() >= {"keepalives_idle", "keepalives_interval", "keepalives_count"}


def test_what_the_url_says_of_the_database_wins(tmp_path: Path) -> None:
    """A pooler that refuses `options` must not be sent any."""
    url = f"{POSTGRES}?options=-c%20lock_timeout%3D9&connect_timeout=9&sslmode=require"
    options = settings_with(tmp_path, DATABASE_URL=url)["DATABASES"]["default"]["OPTIONS"]
    assert (options["options"], str(options["connect_timeout"])) == ("-c lock_timeout=9", "9")
    assert options["sslmode"] == "require"
    assert options["tcp_user_timeout"] == 2500


REFUSED = {
    "LIFETIME_PROFILE": "Banking",
    "JWT_ALGORITHM": "HS256",
    "DEBUG": "maybe",
    "COOKIE_SECURE": "2",
    "GRACE_SECONDS": "ten",
    "LOG_LEVEL": "LOUD",
    "DATABASE_URL": "no url",
}


@pytest.mark.parametrize("name", REFUSED)
def test_impossible_value_is_refused_by_name(tmp_path: Path, name: str) -> None:
    finished = read_settings(tmp_path, **{name: REFUSED[name]})
    assert finished.returncode != 0
    assert f"ImproperlyConfigured: {name} " in finished.stderr


def test_password_of_a_database_stands_in_no_refusal(tmp_path: Path) -> None:  # R94
    finished = read_settings(tmp_path, DATABASE_URL="oracel://user:hunter2hunter2@db/name")
    assert finished.returncode != 0
    assert "hunter2hunter2" not in finished.stderr.rpartition("ImproperlyConfigured")[2]


# --- what this process runs with --------------------------------------------------------------


def test_api_answers_nobody_by_default() -> None:  # R73, R74
    assert live.REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"] == []
    assert live.REST_FRAMEWORK["DEFAULT_PERMISSION_CLASSES"] == [
        "rest_framework.permissions.IsAuthenticated"
    ]


def test_sessions_are_not_in_the_cache_that_may_be_cleared() -> None:  # R62
    assert live.SESSION_CACHE_ALIAS != "default"
    assert "redis" not in live.CACHES["default"]["BACKEND"]


def test_nothing_inline_and_nothing_foreign_may_run() -> None:  # R86
    directives = live.CONTENT_SECURITY_POLICY["DIRECTIVES"]
    assert directives["default-src"] == directives["object-src"] == ["'none'"]
    assert directives["frame-ancestors"] == directives["base-uri"] == ["'none'"]
    allowed = {source for sources in directives.values() for source in sources}
    assert allowed <= {"'none'", "'self'", "data:"}


FLOORS = {"PyJWT": "2.15.1", "djangorestframework-simplejwt": "5.5.1", "Django": "5.2.11"}


@pytest.mark.parametrize("package", FLOORS)
def test_libraries_are_not_older_than_their_last_advisory(package: str) -> None:  # R23
    def parts(text: str) -> list[int]:
        return [int(part) for part in text.split(".")[:3]]

    assert parts(version(package)) >= parts(FLOORS[package])


@pytest.mark.skipif(sys.platform == "win32", reason="gunicorn does not run on Windows")
def test_gunicorn_runs_as_the_settings_say(tmp_path: Path) -> None:
    """Threat: left to itself it has one worker, whom one slow client keeps from everybody."""
    config = ["-m", "gunicorn", "--config=python:authdemo.gunicorn_config", "--print-config"]
    said = run([*config, "authdemo.wsgi"], tmp_path, WEB_WORKERS="3", PORT="8123").stdout
    found = dict(re.findall(r"(\w+) += (.*)", said))
    assert found["bind"] == "['127.0.0.1:8123']"
    assert (found["workers"], found["worker_class"], found["threads"]) == ("3", "gthread", "4")
