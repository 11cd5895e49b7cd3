"""How does a user hear of it who is not looking? By mail, after the commit, if it can be sent."""

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import mail
from accounts.client_info import client_ip, user_agent
from accounts.models import User


def tell_user(
    request: HttpRequest, user_id: int, sentence: str, *, ended: bool, user: User | None = None
) -> None:
    """Mail what was noticed to the user's address, if there is one; never raises.

    `user` is the row, where the caller has it.
    """
    context = {
        "site": mail.site_url(request),
        "sentence": sentence,
        "where": f"{user_agent(request)}, {client_ip(request)}",
        "moment": f"{timezone.now():%d %B, %H:%M}",
    }

    def send() -> None:
        row = user or User.objects.filter(pk=user_id).first()
        if row is not None and row.email:
            name = "login_ended" if ended else "login_noticed"
            mail.send_notice(mail.message(name, row.email, context))

    # Robust: what it tells of is done, whatever becomes of the mail.
    transaction.on_commit(send, robust=True)
