"""Which pages stand before a mail, and which behind the link in it? Mounted by both flows alike.

`GET` on a link only shows what its button would do: mail scanners and previews fetch every link,
and must not use it up. What the button does stands in `accounts.by_mail`.
"""

from abc import ABC, abstractmethod
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from rest_framework.request import Request

from accounts import by_mail, links, security_log
from accounts.contract import errors
from accounts.contract.flow import Flow
from accounts.known_devices import remember_device
from accounts.links import Link, LinkRefused
from accounts.mail import MailUnavailable
from accounts.mail_forms import AddressForm, NewAccountForm, NewPasswordForm
from accounts.models import User
from accounts.pages import PRIVATE, FlowPage


class AskPage(FlowPage, ABC):
    """Asks for an address and sends a mail there. The answer is the same for every address."""

    def get_template_names(self) -> list[str]:
        return [f"accounts/{self.page}.html"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"form": AddressForm(), **kwargs})

    @abstractmethod
    def ask(self, address: str) -> None:
        """Send the mail of this page."""

    def post(self, request: HttpRequest) -> HttpResponseBase:
        form = AddressForm(request.POST)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        try:
            self.ask(form.cleaned_data["address"])
        except (errors.Throttled, MailUnavailable) as refusal:
            return self.not_sent(refusal, form)
        return self.render_to_response(self.get_context_data(sent=form.cleaned_data["address"]))


class SignupPage(AskPage):
    """`/<flow>/signup/`"""

    page = "signup"

    def ask(self, address: str) -> None:
        by_mail.ask_to_sign_up(self.request, self.flow, address)


class ResetPage(AskPage):
    """`/<flow>/reset/`"""

    page = "reset"

    def ask(self, address: str) -> None:
        by_mail.ask_for_a_new_password(self.request, self.flow, address)


@method_decorator(PRIVATE, name="dispatch")
class LinkPage(FlowPage, ABC):
    """What stands behind a link: `?token=…` at `GET`, and in the form at `POST`."""

    purpose: str
    page: str  # where to ask for a new one

    def get_template_names(self) -> list[str]:
        return [f"accounts/{self.purpose}_link.html"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = super().dispatch(request, *args, **kwargs)
        except LinkRefused as refusal:
            response = self.refuse(refusal)
        # Threat: the address of this page is the link, and a Referer would take it along. Surprise:
        # with `no-referrer` a browser's form says `Origin: null`, which no CSRF check accepts.
        response["Referrer-Policy"] = "strict-origin"
        return response

    def refuse(self, refusal: LinkRefused) -> HttpResponse:
        cause = f"{self.purpose} link: {refusal.cause}"
        security_log.refusal(self.request, status=400, code="invalid", cause=cause)
        context = self.get_context_data(sentence=refusal.sentence)
        return render(self.request, "accounts/link_refused.html", context, status=400)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        token = request.GET.get("token", "")
        link = links.read(self.purpose, token)
        return self.show(self.form(self.user_of(link)), link, token)

    def post(self, request: HttpRequest) -> HttpResponseBase:
        token = request.POST.get("token", "")
        link = links.read(self.purpose, token)
        user = self.user_of(link)
        form = self.form(user, request.POST)
        if not form.is_valid():
            return self.show(form, link, token)
        return self.use(link, user, form.cleaned_data)

    def show(self, form: forms.Form, link: Link, token: str) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form, link=link, token=token))

    def user_of(self, link: Link) -> User:
        """Whom the link is about; raises `LinkRefused` if it is about somebody else."""
        user = self.person_of(link)
        visitor = self.visitor()
        # Threat: mallory sends ada a link of her own, and ada goes on working in her account.
        if visitor is not None and visitor != user.pk:
            raise LinkRefused(links.OTHER_USER, "logged in as another user")
        return user

    def visitor(self) -> int | None:
        """Who is logged in, as far as a navigation tells."""
        try:
            found = self.flow.authentication().authenticate(Request(self.request))
        except errors.ContractError as refusal:
            if refusal.status_code != 401:
                raise
            return None
        return found[1].user_id if found else None

    def person_of(self, link: Link) -> User:
        return by_mail.person_of(link)

    def form(self, user: User, values: Any = None) -> forms.Form:
        return forms.Form(values)

    @abstractmethod
    def use(self, link: Link, user: User, values: dict[str, Any]) -> HttpResponseBase:
        """Do what the link is for."""


class SignupLinkPage(LinkPage):
    """`/<flow>/signup/link/`: choose a password, and be logged in to a new account."""

    purpose = page = "signup"

    def person_of(self, link: Link) -> User:
        address = by_mail.address_to_sign_up(link)
        return User(username=address, email=address)

    def form(self, user: User, values: Any = None) -> forms.Form:
        return NewAccountForm(values, user=user)

    def use(self, link: Link, user: User, values: dict[str, Any]) -> HttpResponseBase:
        user, credential = by_mail.sign_up(
            self.request,
            self.flow,
            link,
            password=values["new_password"],
            display_name=values["display_name"],
        )
        messages.success(self.request, "Your address is confirmed, and you are logged in.")
        response = redirect(self.url("profile"))
        self.flow.deliver(response, credential)
        remember_device(response, user.username)
        return response


class ResetLinkPage(LinkPage):
    """`/<flow>/reset/link/`: choose another password."""

    purpose = page = "reset"

    def form(self, user: User, values: Any = None) -> forms.Form:
        return NewPasswordForm(values, user=user)

    def use(self, link: Link, user: User, values: dict[str, Any]) -> HttpResponseBase:
        by_mail.set_new_password(self.request, self.flow, user, values["new_password"])
        messages.success(
            self.request,
            "Your password is changed. Log in with it: every device is logged out.",
        )
        return redirect(self.url("login"))


class EmailLinkPage(LinkPage):
    """`/<flow>/email/link/`: let an address be yours."""

    purpose, page = "email", "profile"

    def use(self, link: Link, user: User, values: dict[str, Any]) -> HttpResponseBase:
        by_mail.move(self.request, self.flow, user, link.email)
        messages.success(self.request, f"Your e-mail address is now {link.email}.")
        return redirect(self.url("profile"))


def link_urls(flow: Flow) -> list[URLPattern]:
    """The pages around mail, for a flow's own URLs."""
    return [
        path("signup/", SignupPage.as_view(flow=flow), name="signup"),
        path("signup/link/", SignupLinkPage.as_view(flow=flow), name="signup_link"),
        path("reset/", ResetPage.as_view(flow=flow), name="reset"),
        path("reset/link/", ResetLinkPage.as_view(flow=flow), name="reset_link"),
        path("email/link/", EmailLinkPage.as_view(flow=flow), name="email_link"),
    ]
