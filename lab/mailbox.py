"""Which mails has the site sent? The files that it writes instead, as an inbox for the workshop."""

import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView

MOST_MAILS = 50
# As Django's file backend ends each mail; the same line inside of one is part of its text.
BETWEEN = re.compile(rb"\n-{79}\n(?=Content-Type: |\Z)")


@dataclass(frozen=True)
class Mail:
    """One mail, as its receiver would see it."""

    sent: datetime
    sender: str
    to: str
    subject: str
    text: str


def mails(folder: Path) -> list[Mail]:
    """The newest mails in the folder's files, newest first."""
    # Newest last up to here: a mail's date counts seconds, and one request may send two.
    files = sorted(folder.glob("*.log"), key=lambda file: file.stat().st_mtime_ns)[-MOST_MAILS:]
    raw = [each for file in files for each in BETWEEN.split(file.read_bytes()) if each.strip()]
    return sorted(map(_read, raw), key=lambda mail: mail.sent)[: -MOST_MAILS - 1 : -1]


def _read(raw: bytes) -> Mail:
    message = message_from_bytes(raw, policy=policy.default)
    return Mail(
        sent=parsedate_to_datetime(message["Date"]),
        sender=message["From"],
        to=message["To"],
        subject=message["Subject"],
        text=message.get_content(),
    )


@method_decorator(never_cache, name="dispatch")
class MailboxPage(TemplateView):
    """Everybody's mails: for a lab whose people are made up, and never for a public site."""

    template_name = "lab/mailbox.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        folder = settings.EMAIL_FILE_PATH
        found = mails(Path(folder)) if folder else []
        return super().get_context_data(mails=found, folder=folder, **kwargs)
