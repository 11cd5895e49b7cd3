"""Does the lab show the mails that the site sends, as their receivers would see them?"""

import stat
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django import Settings

from accounts import mail
from authdemo import settings as site_settings
from lab.mailbox import MOST_MAILS

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.usefixtures("lab")]


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    """Mails become files again; pytest-django keeps them in memory."""
    settings.EMAIL_BACKEND = site_settings.EMAIL_BACKEND
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    return tmp_path / "mail"


def shown(client: Client) -> str:
    answer = client.get("/lab/mailbox/")
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    return answer.content.decode()


def test_an_empty_mailbox_says_what_to_do(client: Client, folder: Path) -> None:
    assert 'No mail yet. <a href="/sessions/signup/">Sign up</a>' in shown(client)


def test_a_link_can_be_clicked(client: Client, folder: Path) -> None:
    client.post("/sessions/signup/", {"address": "noor@example.org"})
    page = shown(client)
    assert "Confirm your e-mail address" in page
    assert "noor@example.org" in page
    assert '<a href="http://testserver/sessions/signup/link/?token=' in page
    # Threat: who else may read the file has the link.
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_newest_mail_stands_first(client: Client, folder: Path) -> None:
    for number, day in enumerate((1, 3, 2, 3)):
        with time_machine.travel(datetime(2026, 5, day, tzinfo=UTC), tick=False):
            mail.send(EmailMessage(f"mail {number}", "-" * 79, to=["noor@example.org"]))
        time.sleep(0.02)  # the times of files move in ticks of the kernel
    subjects = [part.partition("<")[0] for part in shown(client).split("<h2>")[1:]]
    assert subjects == ["mail 3", "mail 1", "mail 2", "mail 0"]


def test_a_mail_is_text_and_no_page(client: Client, folder: Path) -> None:
    mail.send(EmailMessage("<b>", "<script>alert(1)</script> é", to=["noor@example.org"]))
    page = shown(client)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; é" in page


def test_a_long_history_is_cut(client: Client, folder: Path) -> None:
    for number in range(MOST_MAILS + 5):
        mail.send(EmailMessage(f"mail {number}", "text", to=["noor@example.org"]))
    assert shown(client).count("<article") == MOST_MAILS


def test_a_mail_server_leaves_nothing_to_show(client: Client, settings: Settings) -> None:
    settings.EMAIL_FILE_PATH = ""
    assert "hands its mails to a mail server" in shown(client)


def test_the_pages_of_the_lab_lead_to_the_mailbox(client: Client, folder: Path) -> None:
    there = 'href="/lab/mailbox/"'
    assert there in client.get("/").content.decode()
    asked = client.post("/jwt/reset/", {"address": "noor@example.org"}).content.decode()
    assert asked.count(there) == 2
