"""Does every insecure configuration have a check that names it? (R03, R62, R63, R96)"""

from __future__ import annotations

import inspect
import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.core import checks
from pytest_django import Settings

import accounts.checks
import jwt_api.checks
import sessions_api.checks

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = (accounts.checks, sessions_api.checks, jwt_api.checks)
OUR_IDS = re.compile(r"\b(?:accounts|sessions_api|jwt_api)\.[EW]\d{3}\b")
OURS = {found for module in MODULES for found in OUR_IDS.findall(inspect.getsource(module))}
Mistake = Callable[[Settings], None]


def found_ids() -> set[str | None]:
    """What `check --deploy` says, of ours."""
    found = checks.run_checks(include_deployment_checks=True)
    return {message.id for message in found if OUR_IDS.fullmatch(message.id or "")}


def setting(name: str, value: Any) -> Mistake:
    return lambda settings: setattr(settings, name, value)


def alias(**changes: Any) -> Mistake:
    """The session alias with other options; None takes one away."""

    def change(settings: Settings) -> None:
        auth = site_settings.CACHES["auth"]
        options = {**auth["OPTIONS"], **changes}
        kept = {name: value for name, value in options.items() if value is not None}
        settings.CACHES = {**site_settings.CACHES, "auth": {**auth, "OPTIONS": kept}}

    return change


def backend(path: str) -> Mistake:
    def change(settings: Settings) -> None:
        settings.CACHES = {**site_settings.CACHES, "auth": {"BACKEND": path}}

    return change


def simple_jwt(**changes: Any) -> Mistake:
    return setting("SIMPLE_JWT", {**site_settings.SIMPLE_JWT, **changes})


def algorithm(name: str) -> Mistake:
    """Before any key was made: a key that does not fit the algorithm is a mistake of its own."""

    def change(settings: Settings) -> None:
        simple_jwt(ALGORITHM=name)(settings)
        settings.JWT_KEYS_DIR = site_settings.VAR_DIR / "no-keys"

    return change


def lab_for_everybody(settings: Settings) -> None:
    settings.LAB, settings.DEBUG = True, False
    settings.ALLOWED_HOSTS = ["www.example.com"]


def lab_in_clear(settings: Settings) -> None:
    settings.LAB, settings.REFRESH_COOKIE_SECURE = True, False
    settings.ALLOWED_HOSTS = ["127.0.0.1"]


def servers(location: str | list[str], **options: str) -> Mistake:
    def change(settings: Settings) -> None:
        auth = site_settings.CACHES["auth"]
        changed = {**auth, "LOCATION": location, "OPTIONS": {**auth["OPTIONS"], **options}}
        settings.CACHES = {**site_settings.CACHES, "auth": changed}

    return change


def shared_alias(settings: Settings) -> None:
    settings.CACHES = {"default": site_settings.CACHES["auth"]}
    settings.SESSION_CACHE_ALIAS = "default"


def shared_database(settings: Settings) -> None:
    """Under another prefix, which `clear()` does not look at."""
    auth = site_settings.CACHES["auth"]
    settings.CACHES = {"default": {**auth, "KEY_PREFIX": "cache"}, "auth": auth}


def without_blacklist(settings: Settings) -> None:
    settings.INSTALLED_APPS = [
        app for app in site_settings.INSTALLED_APPS if not app.endswith("token_blacklist")
    ]


def key_of_another_kind(settings: Settings) -> None:
    settings.JWT_KEYS_DIR = Path(tempfile.mkdtemp(dir=site_settings.VAR_DIR))
    (settings.JWT_KEYS_DIR / "1.pem").write_text("not a key")


PICKLE = "django_redis.serializers.pickle.PickleSerializer"
MISTAKES: dict[str, tuple[str, Mistake]] = {
    "short secret key": ("accounts.E001", setting("SECRET_KEY", secrets.token_urlsafe(64)[:49])),
    "secret key of one character": ("accounts.E001", setting("SECRET_KEY", "x" * 64)),
    "secret key of startproject": (
        "accounts.E001",
        setting("SECRET_KEY", "django-insecure-" + secrets.token_urlsafe(64)),
    ),
    "short former secret key": ("accounts.E001", setting("SECRET_KEY_FALLBACKS", ["changeme"])),
    "lab for everybody": ("accounts.E002", lab_for_everybody),
    "links to any name": ("accounts.E005", setting("ALLOWED_HOSTS", ["*"])),
    "links to any subdomain": ("accounts.E005", setting("ALLOWED_HOSTS", [".example.com"])),
    "no access lifetime": ("accounts.E003", setting("ACCESS_SECONDS", 0)),
    "no refresh lifetime": ("accounts.E003", setting("REFRESH_IDLE_SECONDS", 0)),
    "negative idle time": ("accounts.E003", setting("SESSION_IDLE_SECONDS", -1)),
    "no absolute end": ("accounts.E003", setting("ABSOLUTE_SECONDS", 0)),
    "long grace": ("accounts.E003", setting("GRACE_SECONDS", 31)),
    "negative grace": ("accounts.E003", setting("GRACE_SECONDS", -1)),
    "session cookie in clear": ("accounts.E004", setting("SESSION_COOKIE_SECURE", False)),
    "session cookie for scripts": ("accounts.E004", setting("SESSION_COOKIE_HTTPONLY", False)),
    "csrf cookie in clear": ("accounts.E004", setting("CSRF_COOKIE_SECURE", False)),
    "refresh cookie in clear": ("accounts.E004", setting("REFRESH_COOKIE_SECURE", False)),
    "cookies of the lab in clear": ("accounts.W001", lab_in_clear),
    "pickle": ("sessions_api.E001", alias(SERIALIZER=PICKLE)),
    "django-redis's default serializer": ("sessions_api.E001", alias(SERIALIZER=None)),
    "errors ignored": ("sessions_api.E002", alias(IGNORE_EXCEPTIONS=True)),
    "errors ignored everywhere": (
        "sessions_api.E002",
        setting("DJANGO_REDIS_IGNORE_EXCEPTIONS", True),
    ),
    "shared alias": ("sessions_api.E003", shared_alias),
    "shared database": ("sessions_api.E003", shared_database),
    "no timeout": ("sessions_api.E004", alias(SOCKET_TIMEOUT=None)),
    "no connect timeout": ("sessions_api.E004", alias(SOCKET_CONNECT_TIMEOUT=None)),
    "long timeout": ("sessions_api.E004", alias(SOCKET_TIMEOUT=3.1)),
    "a replica beside the primary": (
        "sessions_api.E007",
        servers(["redis://primary:6379/0", "redis://replica:6379/0"]),
    ),
    "a replica, after a comma": (
        "sessions_api.E007",
        servers("redis://primary:6379/0,redis://replica:6379/0"),
    ),
    "a replica by Sentinel": ("sessions_api.E007", servers("redis://mymaster/0?is_master=0")),
    "Sentinel's own client": (
        "sessions_api.E007",
        servers("redis://mymaster/0", CLIENT_CLASS="django_redis.client.SentinelClient"),
    ),
    "memory of one process": (
        "sessions_api.E005",
        backend("django.core.cache.backends.locmem.LocMemCache"),
    ),
    "Django's own Redis cache": (
        "sessions_api.E005",
        backend("django.core.cache.backends.redis.RedisCache"),
    ),
    "every request saved": ("sessions_api.E006", setting("SESSION_SAVE_EVERY_REQUEST", True)),
    "no blacklist": ("jwt_api.E001", without_blacklist),
    "symmetric tokens": ("jwt_api.E002", algorithm("HS256")),
    "no algorithm": ("jwt_api.E002", algorithm("none")),
    "long access tokens": (
        "jwt_api.E003",
        simple_jwt(ACCESS_TOKEN_LIFETIME=timedelta(seconds=901)),
    ),
    "long leeway": ("jwt_api.E004", setting("LEEWAY_SECONDS", 31)),
    "a key that cannot sign": ("jwt_api.E006", key_of_another_kind),
    "no key in the variable": ("jwt_api.E006", setting("JWT_SIGNING_KEY", "garbage")),
    "symmetric key beside the ring": ("jwt_api.E007", simple_jwt(SIGNING_KEY="x" * 64)),
    "a verifying key beside the ring": ("jwt_api.E007", simple_jwt(VERIFYING_KEY="x" * 64)),
    "keys from elsewhere": ("jwt_api.E007", simple_jwt(JWK_URL="https://keys.example/jwks")),
    "password hash in tokens": ("jwt_api.E005", simple_jwt(CHECK_REVOKE_TOKEN=True)),
    "programs as logins": ("jwt_api.E010", setting("JWT_PROGRAM_AUDIENCE", "api")),
    "programs as the issuer": ("jwt_api.E010", setting("JWT_PROGRAM_AUDIENCE", "authdemo")),
    "a service's short secret": (
        "jwt_api.E011",
        setting("INTROSPECTION_CLIENTS", ["notes:s3cret"]),
    ),
    "a service without a secret": ("jwt_api.E011", setting("INTROSPECTION_CLIENTS", ["notes"])),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_refused_by_name(settings: Settings, mistake: str) -> None:
    expected, make_it = MISTAKES[mistake]
    make_it(settings)
    assert found_ids() == {expected}


def test_a_lab_for_everybody_may_not_do_without_https(settings: Settings) -> None:
    """Its mistakes are two, and neither excuses the other."""
    lab_in_clear(settings)
    settings.ALLOWED_HOSTS = ["127.0.0.1", "www.example.com"]
    assert found_ids() == {"accounts.E002", "accounts.E004"}


def test_every_check_has_its_mistake_here() -> None:
    """A new check without a row above would be a check that nobody has seen fire."""
    assert {expected for expected, _ in MISTAKES.values()} == OURS


def test_the_defaults_are_clean() -> None:
    assert found_ids() == set()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_each_refusal_says_what_is_wrong_and_the_way_out(module: Any) -> None:
    for found in vars(module).values():
        if isinstance(found, checks.CheckMessage):
            assert found.msg.startswith("insecure configuration: ")
            assert found.msg.endswith(".")
            assert found.hint


def test_longest_allowed_values_are_allowed(settings: Settings) -> None:
    settings.GRACE_SECONDS, settings.LEEWAY_SECONDS = 30, 30
    settings.SIMPLE_JWT = {
        **site_settings.SIMPLE_JWT,
        "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    }
    assert found_ids() == set()


# --- the whole, as it is deployed -------------------------------------------------------------

PRODUCTION = {
    "DEBUG": "0",
    "LAB": "0",
    "HTTPS": "1",
    "COOKIE_SECURE": "1",
    "ALLOWED_HOSTS": "www.example.com",
    "REDIS_URL": "redis://redis:6379/0",
}
FOR_PLAYWRIGHT = "DJANGO_ALLOW_ASYNC_UNSAFE"  # set for the tests, and rightly refused


def check_deploy(var_dir: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if name != FOR_PLAYWRIGHT},
            "DJANGO_SETTINGS_MODULE": "authdemo.settings",
            "VAR_DIR": str(var_dir),
            "DATABASE_URL": f"sqlite:///{var_dir / 'db.sqlite3'}",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.once
def test_production_settings_are_clean(tmp_path: Path) -> None:  # R96
    finished = check_deploy(tmp_path, **PRODUCTION)
    assert finished.returncode == 0, finished.stderr
    assert "no issues" in finished.stdout


@pytest.mark.once
def test_checks_are_registered_and_fail_the_command(tmp_path: Path) -> None:
    """That the three modules are imported at all is what their `AppConfig.ready` does."""
    mistakes = {"LAB": "1", "COOKIE_SECURE": "0", "LEEWAY_SECONDS": "60", "HTTPS": "0"}
    mistakes["SECRET_KEY"] = "changeme"
    finished = check_deploy(tmp_path, **{**PRODUCTION, **mistakes})
    assert finished.returncode != 0
    for found in (
        "accounts.E002",
        "accounts.E004",
        "accounts.E001",
        "jwt_api.E004",
        "security.W004",
    ):
        assert found in finished.stderr
