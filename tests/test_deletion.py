"""Can the house be taken apart? Without the lab, or without one flow, the rest goes on working.

Each case copies the checkout, deletes a folder and its lines in settings and urls, and
logs in to what is left, in a process of its own.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parent.parent
HOUSE = ("accounts", "authdemo", "jwt_api", "lab", "sessions_api", "templates", "manage.py")
PATCHED = ("authdemo/settings.py", "authdemo/urls.py")

# What a person does after the deletion, with every flow that is left.
VISIT = r"""
import re
import sys
import django
django.setup()
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from accounts.contract.registry import flows

call_command("check", fail_level="WARNING")
call_command("migrate", verbosity=0)
# Argon2 is slow on purpose, and not what is tested.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
left = sys.argv[1].split(",")
assert [flow.key for flow in flows()] == left, flows()
call_command("make_demo_users", verbosity=0)
for key in left:
    client, other = Client(), Client()

    def call(method, path, body=None, status=200, client=client, **headers):
        response = getattr(client, method)(
            f"/api/{key}/{path}", body, content_type="application/json", headers=headers
        )
        assert response.status_code == status, (key, path, response.status_code, response.content)
        return response.json() if response.content else None

    password = {"username": "ada", "password": "ada-demo-password"}
    token = call("post", "login/", password)["credential"]["token"]
    bearer = {"authorization": f"Bearer {token}"} if token else {}
    assert call("get", "whoami/", **bearer)["id"]
    assert call("get", "me/", **bearer)["username"] == "ada"
    call("post", "refresh/")
    assert len(call("get", "devices/", **bearer)) == 1
    call("post", "login/", password, client=other)
    call("post", "logout-all/", status=204, **bearer)
    call("post", "refresh/", status=401, client=other)
    call("post", "login/", password)
    call("post", "logout/", status=204)
    call("post", "refresh/", status=401)
    sent = client.post(f"/{key}/signup/", {"address": f"{key}@example.org"})
    assert sent.status_code == 200, sent.content
    mail = max((settings.VAR_DIR / "mail").iterdir(), key=lambda file: file.stat().st_mtime)
    token = re.findall(r"token=(\S+)", mail.read_text())[-1]
    new = {"token": token, "new_password": "seven-swallows"}
    assert client.post(f"/{key}/signup/link/", new).status_code == 302
    call("post", "refresh/")
    for page in ("login", "profile", "devices", "logout", "signup", "reset"):
        assert client.get(f"/{key}/{page}/").status_code in (200, 302), page
for path in ("/", "/api/schema/", "/readyz"):
    assert Client().get(path).status_code == 200, path
print("all of it works")
"""


def without_lines(*marks: str) -> Callable[[str], str]:
    """Delete the lines that name something."""
    return lambda text: "".join(
        line for line in text.splitlines(keepends=True) if not any(mark in line for mark in marks)
    )


def without_lab(text: str) -> str:
    return re.sub(
        r"\nif settings\.LAB:\n.*",
        "",
        without_lines('    "lab",', '    "lab.', '    "/lab/')(text),
        flags=re.DOTALL,
    )


def without_sessions(text: str) -> str:
    """Django's own sessions take over below the admin; people log in by the other flow's pages."""
    for ours, instead in {
        '"sessions_api.middleware.': '"django.contrib.sessions.middleware.',
        '"sessions_api.engine"': '"django.contrib.sessions.backends.db"',
        "from sessions_api.pages import LogoutPage": "from jwt_api.pages import LogoutPage",
        "sessions_pages:": "jwt_pages:",
    }.items():
        text = text.replace(ours, instead)
    return without_lines("sessions_api")(text)


CASES: dict[str, tuple[tuple[str, ...], Callable[[str], str], str]] = {
    "lab": (("lab",), without_lab, "sessions,jwt"),
    "jwt_api": (("jwt_api", "templates/jwt_api"), without_lines("jwt_api", "JwksView"), "sessions"),
    "sessions_api": (("sessions_api", "templates/sessions_api"), without_sessions, "jwt"),
}


@pytest.mark.thorough
@pytest.mark.once
@pytest.mark.slow
@pytest.mark.parametrize("deleted", CASES)
def test_the_rest_works_without(tmp_path: Path, deleted: str) -> None:
    folders, patch, left = CASES[deleted]
    for name in HOUSE:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    for folder in folders:
        shutil.rmtree(tmp_path / folder)
    for name in PATCHED:
        (tmp_path / name).write_text(patch((tmp_path / name).read_text()))
    remaining = [
        name for name in PATCHED if re.search(rf"\b{deleted}\b", strings_of(tmp_path / name))
    ]
    assert remaining == [], "the patch is the whole of what names it"

    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "authdemo.settings",
        "VAR_DIR": str(tmp_path / "var"),
        "REDIS_URL": settings.CACHES["auth"]["LOCATION"],
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "LAB": "1",
        "ALLOWED_HOSTS": "testserver",
        "LOG_LEVEL": "ERROR",
    }
    finished = subprocess.run(
        [sys.executable, "-c", VISIT, left],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.endswith("all of it works\n")


def strings_of(path: Path) -> str:
    """The code without its comments, which may go on telling the story."""
    return "\n".join(line.partition("#")[0] for line in path.read_text().splitlines())
