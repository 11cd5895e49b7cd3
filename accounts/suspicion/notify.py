"""How does a user hear of it who is not looking? By mail, after the commit, if it can be sent."""

from django.core.exceptions import ImproperlyConfigured
from django.core.mail import send_mail
from django.db import DatabaseError, transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import security_log
from accounts.client_info import client_ip, user_agent
from accounts.models import User

ENDED = (
    "A login of yours was ended",
    "That login was ended, and whoever used it is out. If it was you, log in again: there is "
    "nothing else to do. If not, change your password as well.",
)
NOTICED = (
    "Something is new about a login of yours",
    "The login goes on. If that was you, there is nothing to do. If not, end it on the page "
    '"Devices" and change your password.',
)


def tell_user(
    request: HttpRequest, user_id: int, sentence: str, *, ended: bool, user: User | None = None
) -> None:
    """Mail what was noticed to the user's address, if there is one; never raises.

    `user` is the row, where the caller has it.
    """
    subject, advice = ENDED if ended else NOTICED
    where = f"{user_agent(request)}, {client_ip(request)}"
    moment = timezone.now()
    body = f"{sentence.capitalize()}: {where}, {moment:%d %B, %H:%M} UTC.\n\n{advice}\n"

    def send() -> None:
        try:
            row = user or User.objects.filter(pk=user_id).first()
            if row is not None and row.email:
                send_mail(subject, body, None, [row.email])
        except (OSError, ValueError, DatabaseError, ImproperlyConfigured) as error:
            # The error's own text may quote the server, or the address.
            security_log.problem("mail_not_sent", user_id=user_id, cause=type(error).__name__)

    transaction.on_commit(send, robust=True)
