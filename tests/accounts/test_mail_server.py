"""Does `EMAIL_URL` reach a real mail server? The settings of a deployment, and SMTP on a socket."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

pytestmark = [pytest.mark.once, pytest.mark.slow]

ROOT = Path(__file__).resolve().parent.parent.parent
ASK = """
import django
django.setup()
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
answer = Client().post("/sessions/signup/", {"address": "noor@example.org"})
print(answer.status_code)
"""


class Post:
    """A mail server that keeps what it gets; the name is `site`, the password `p@ss`."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []

    async def handle_DATA(  # noqa: N802
        self, server: Any, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.envelopes.append(envelope)
        self.got.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    def authenticate(
        self, server: Any, session: Any, envelope: Any, mechanism: str, given: Any
    ) -> AuthResult:
        right = isinstance(given, LoginPassword) and given == LoginPassword(b"site", b"p@ss")
        return AuthResult(success=right, handled=False)


@pytest.fixture
def post() -> Iterator[tuple[Post, int]]:
    handler = Post()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(
        handler,
        hostname="127.0.0.1",
        port=port,
        authenticator=handler.authenticate,
        auth_require_tls=False,
    )
    controller.start()
    yield handler, port
    controller.stop()


def ask(var_dir: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "authdemo.settings",
        "VAR_DIR": str(var_dir),
        "DATABASE_URL": f"sqlite:///{var_dir / 'db.sqlite3'}",
        "ALLOWED_HOSTS": "testserver",
        "LAB": "0",
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def redis_url() -> str:
    from django.conf import settings

    return settings.CACHES["auth"]["LOCATION"]


def test_a_mail_goes_to_the_server_of_email_url(
    post: tuple[Post, int], tmp_path: Path, redis_url: str
) -> None:
    handler, port = post
    url = f"smtp://site:p%40ss@127.0.0.1:{port}"
    sender = "Site <site@example.com>"
    finished = ask(tmp_path, EMAIL_URL=url, MAIL_FROM=sender, REDIS_URL=redis_url)
    assert finished.stdout == "200\n", finished.stderr
    (message,), (envelope,) = handler.got, handler.envelopes
    assert envelope.rcpt_tos == ["noor@example.org"]
    assert (message["From"], message["To"]) == (sender, "noor@example.org")
    assert "/sessions/signup/link/?token=" in message.get_content()
    assert not (tmp_path / "mail").exists()


def test_a_wrong_password_of_the_site_is_no_mail_and_stands_nowhere(
    post: tuple[Post, int], tmp_path: Path, redis_url: str
) -> None:
    handler, port = post
    url = f"smtp://site:hunter2hunter2@127.0.0.1:{port}"
    finished = ask(tmp_path, EMAIL_URL=url, REDIS_URL=redis_url)
    assert finished.stdout == "503\n", finished.stderr
    assert handler.got == []
    assert "mail: SMTPAuthenticationError" in finished.stderr
    assert "hunter2hunter2" not in finished.stderr


def test_without_email_url_a_mail_is_a_file(tmp_path: Path, redis_url: str) -> None:
    finished = ask(tmp_path, REDIS_URL=redis_url)
    assert finished.stdout == "200\n", finished.stderr
    (file,) = (tmp_path / "mail").iterdir()
    assert "To: noor@example.org" in file.read_text()
