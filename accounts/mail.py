"""Which mails are sent, and with which link? Plain text, from `templates/accounts/mail/`.

`EMAIL_URL` says where to; without one, mails become files in VAR_DIR/mail.
"""

from pathlib import Path
from smtplib import SMTPException
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMessage, get_connection
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse

from accounts import security_log
from accounts.contract.errors import StoreUnavailable
from accounts.contract.flow import Flow


class MailUnavailable(StoreUnavailable):
    """The mail server did not take the mail. Nothing was changed; ask once more."""

    default_detail = "The mail cannot be sent right now. Nothing is lost: try again in a moment."


def site_url(request: HttpRequest) -> str:
    """How the links in mails begin.

    Threat: whoever asks for a mail to somebody else chooses the `Host` of the request. Django has
    compared the name with ALLOWED_HOSTS; its port is anybody's choice, unless SITE_URL is set.
    """
    return settings.SITE_URL or f"{request.scheme}://{request.get_host()}"


def page_url(request: HttpRequest, flow: Flow, page: str, **query: str) -> str:
    """The address of a page of the flow, as it stands in a mail."""
    path = reverse(f"{flow.key}_pages:{page}")
    return f"{site_url(request)}{path}" + (f"?{urlencode(query)}" if query else "")


def message(name: str, to: str, context: dict[str, Any]) -> EmailMessage:
    """One mail. The first line of its template is the subject."""
    text = render_to_string(f"accounts/mail/{name}.txt", context)
    subject, _, body = text.partition("\n")
    # Nobody's absence note shall answer it (RFC 3834, section 5).
    headers = {"Auto-Submitted": "auto-generated"}
    return EmailMessage(subject=subject, body=body.strip() + "\n", to=[to], headers=headers)


def send(*messages: EmailMessage) -> None:
    """Send them all over one connection, or raise `MailUnavailable`."""
    try:
        if settings.EMAIL_FILE_PATH:
            # Threat: whoever else reads the file has the link.
            Path(settings.EMAIL_FILE_PATH).mkdir(mode=0o700, parents=True, exist_ok=True)
        get_connection().send_messages(messages)
    except (SMTPException, OSError, ImproperlyConfigured) as error:
        raise MailUnavailable(f"mail: {type(error).__name__}") from error


def send_notice(notice: EmailMessage) -> None:
    """Send what tells of something that is done: no failure of it may say that it is not."""
    try:
        send(notice)
    except MailUnavailable as error:
        # By its type alone: the error's own text may quote the server, or the address.
        security_log.problem("mail_not_sent", cause=error.log_reason)
