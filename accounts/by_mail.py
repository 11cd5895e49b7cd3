"""What can somebody do who reads the mail of an address? Sign up, set a new password, move there.

The use cases beside `accounts.lifecycle`, again for every flow. Each begins with asking for a mail
and ends with using its link. Asking answers everybody alike and by the same work, one mail
included: a known address gets another text than an unknown one, and only who reads it learns which.

Why a password is chosen behind the link, and not when signing up: else anybody could sign up with
somebody else's address, and whoever follows the link would have an account whose password the
other one knows (pre-hijacking). So there is no account before its address is verified, none
that nobody ever verifies, and nothing that a login would have to refuse.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.core.mail import EmailMessage
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.db.models.functions import Lower
from django.http import HttpRequest
from django.utils.timezone import now

from accounts import lifecycle, links, mail
from accounts.audit import record
from accounts.contract.flow import Credential, Flow
from accounts.links import Link, LinkRefused
from accounts.models import AuthEvent, User
from accounts.throttling import claim_mail, give_back_attempt

Kind = AuthEvent.Kind
NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


def normal(address: str) -> str:
    """How an address is written here: in lower case, since a mailbox is meant, not a spelling."""
    return address.strip().lower()


def with_email(address: str) -> Q:
    """The user of an address; `users()` has the column. The index wants the second half."""
    return Q(lower_email=normal(address)) & ~Q(email="")


def users() -> models.QuerySet[User]:
    return User.objects.annotate(lower_email=Lower("email"))


# --- sign up --------------------------------------------------------------------------------


def owner_of(address: str) -> User | None:
    """Who has this address, or is called like it."""
    return users().filter(Q(username=normal(address)) | with_email(address)).first()


def ask_to_sign_up(request: HttpRequest, flow: Flow, address: str) -> None:
    """Send the link, or to a known address the word that it has an account."""
    with counted(request, address):
        owner = owner_of(address)
        token = links.make("signup", subject=normal(address), email=normal(address))
        name = "signup" if owner is None else "signup_known"
        text = mail_about(request, flow, name, address, token)
        send_link(request, flow, "signup", owner, text)


def address_to_sign_up(link: Link) -> str:
    """The address of a sign-up link that nobody has used yet; or `LinkRefused`."""
    if owner_of(link.subject) is not None:
        raise LinkRefused(links.HAS_ACCOUNT, "used, or has an account")
    return link.subject


def sign_up(
    request: HttpRequest, flow: Flow, link: Link, *, password: str, display_name: str
) -> tuple[User, Credential]:
    """Make the account and start its first device: all of it, or nothing."""
    address = address_to_sign_up(link)
    user = User(username=address, email=address, display_name=display_name, email_verified=now())
    user.set_password(password)  # before the transaction: it takes long, and others wait
    try:
        with transaction.atomic():
            # The unique name is what makes the link single use: of two at once, one is refused.
            user.save(force_insert=True)
            record(Kind.SIGNUP, request, flow=flow.key, user_id=user.pk)
            credential = lifecycle.log_in(request, flow, user)
    except IntegrityError as error:
        raise LinkRefused(links.HAS_ACCOUNT, "used at the same moment") from error
    return user, credential


# --- a forgotten password -------------------------------------------------------------------


def ask_for_a_new_password(request: HttpRequest, flow: Flow, address: str) -> None:
    """Send the link, or to an address without an account the word that it has none."""
    with counted(request, address):
        user = users().filter(with_email(address), is_active=True).first()
        if user is not None and not user.has_usable_password():
            user = None
        linked = user or User()  # for nobody a link is made too, and thrown away: the same work
        token = links.make(
            "reset", subject=str(linked.pk), email=linked.email, state=links.state_of(linked)
        )
        name = "reset" if user else "reset_unknown"
        # Threat: to the address as it stands in the row. What was typed may be another one that
        # only compares equal (CVE-2019-19844).
        text = mail_about(request, flow, name, user.email if user else address, token)
        send_link(request, flow, "reset", user, text)


def set_new_password(request: HttpRequest, flow: Flow, user: User, password: str) -> None:
    """Set it and end every device in both flows. Nobody is logged in by it (OWASP).

    Raises `LinkRefused` if anything of what the link was bound to has changed meanwhile.
    """
    hashed = make_password(password)
    with transaction.atomic():
        if not unchanged(user).update(password=hashed, email_verified=now()):  # raises the epoch
            raise LinkRefused(links.USED, "used at the same moment")
        record(Kind.PASSWORD_RESET, request, flow=flow.key, user_id=user.pk)
    mail.send_notice(mail_about(request, flow, "password_changed", user.email))


# --- another address ------------------------------------------------------------------------


def ask_to_move(request: HttpRequest, flow: Flow, user: User, address: str) -> None:
    """Send the link to the new address, and a notice to the old one. Nothing changes yet."""
    with counted(request, address):
        owner = users().filter(with_email(address)).exclude(pk=user.pk).first()
        token = links.make(
            "email", subject=str(user.pk), email=normal(address), state=links.state_of(user)
        )
        texts = [
            mail_about(request, flow, "email_taken" if owner else "email", address, token, user)
        ]
        if user.email:
            texts.insert(0, mail_about(request, flow, "email_notice", user.email, "", user))
        send_link(request, flow, "email", user, *texts)


def move(request: HttpRequest, flow: Flow, user: User, address: str) -> None:
    """Let the address be the user's; also as their name, if they are called like the old one."""
    values: dict[str, Any] = {"email": address, "email_verified": now()}
    if user.username == normal(user.email):
        values["username"] = address
    try:
        with transaction.atomic():
            if not unchanged(user).update(**values):
                raise LinkRefused(links.USED, "used at the same moment")
            record(Kind.EMAIL_CHANGED, request, flow=flow.key, user_id=user.pk)
    except IntegrityError as error:
        raise LinkRefused(links.TAKEN, "address taken") from error


# --- what they have in common ---------------------------------------------------------------


def person_of(link: Link) -> User:
    """The user whom a link names, as the row is now; or `LinkRefused` when it fits no more."""
    if NUMBER.fullmatch(link.subject) is None:
        raise LinkRefused(links.INVALID, "no number of a user")
    return links.assert_fits(link, User.objects.filter(pk=int(link.subject)).first())


def unchanged(user: User) -> models.QuerySet[User]:
    """This row, as long as a link that fitted it would still fit.

    Threat: checked first and written afterwards, a link would be used twice by two clicks at once.
    """
    return User.objects.filter(
        pk=user.pk,
        is_active=True,
        epoch=user.epoch,
        username=user.username,
        email=user.email,
        email_verified=user.email_verified,
    )


def mail_about(
    request: HttpRequest,
    flow: Flow,
    name: str,
    to: str,
    token: str = "",
    user: User | None = None,
) -> EmailMessage:
    """The mail of that name, with the link for the token."""
    purpose = name.partition("_")[0]
    context: dict[str, Any] = {
        "site": mail.site_url(request),
        "to": to,
        "username": user.username if user else "",
        "login": mail.page_url(request, flow, "login"),
        "signup": mail.page_url(request, flow, "signup"),
        "reset": mail.page_url(request, flow, "reset"),
    }
    if token:
        context["link"] = mail.page_url(request, flow, f"{purpose}_link", token=token)
        context["hours"] = max(1, round(settings.LINK_SECONDS[purpose] / 3600))
    return mail.message(name, to, context)


@contextmanager
def counted(request: HttpRequest, address: str) -> Iterator[None]:
    """Count one mail before anything is looked up; one that no server takes costs no attempt.

    Raises `Throttled` over the limit.
    """
    claims = claim_mail(request, address)
    try:
        yield
    except mail.MailUnavailable:
        give_back_attempt(claims)
        raise


def send_link(
    request: HttpRequest, flow: Flow, purpose: str, user: User | None, *texts: EmailMessage
) -> None:
    """Send, and write down that it was asked for. Raises `MailUnavailable`."""
    mail.send(*texts)
    user_id = user.pk if user else None
    record(Kind.LINK_SENT, request, flow=flow.key, user_id=user_id, detail=purpose)
