"""Which pages does a person see, and how do they know who is asking? Written once for every flow.

The pages of a flow are the use cases of `accounts.lifecycle` behind plain HTML
forms. Who is asking is answered by the flow's own authentication class, exactly as
in the API. What differs stands in `sessions_api/pages.py` and `jwt_api/pages.py`:
what to do with a visitor whose request carries no credential.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import messages
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.vary import vary_on_headers
from django.views.generic import TemplateView
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from accounts import by_mail, lifecycle
from accounts.contract import errors
from accounts.contract.flow import Device, Flow, Presented
from accounts.contract.registry import keepers
from accounts.known_devices import remember_device
from accounts.mail import MailUnavailable
from accounts.mail_forms import AddressField
from accounts.middleware import answer_refusal
from accounts.models import AuthEvent, User
from accounts.suspicion.consequences import ended_lately

RECENT_EVENTS = 10
ENDED_LATELY = timedelta(days=7)
LONG = (("day", 86400), ("hour", 3600))


class HomePage(TemplateView):
    """Both flows side by side. The page asks the API; the server renders an empty stage."""

    template_name = "home.html"


# --- forms ----------------------------------------------------------------------------------


class LoginForm(forms.Form):
    """A username and a password, of the sizes that the API accepts."""

    username = forms.CharField(
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none"}),
    )
    password = forms.CharField(
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class NameForm(forms.ModelForm):
    """The one thing about themselves that a user can change here."""

    class Meta:
        model = User
        fields = ["display_name"]
        widgets = {"display_name": forms.TextInput(attrs={"autocomplete": "name"})}


class ProvenForm(forms.Form):
    """What only somebody may change who has just proven the password once more."""

    current_password = forms.CharField(
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(
        self, *args: Any, request: HttpRequest, user: User, flow: Flow, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.request, self.user, self.flow = request, user, flow

    def clean_current_password(self) -> str:
        password = self.cleaned_data["current_password"]
        name = self.user.get_username()
        proven = lifecycle.prove_password(
            self.request, username=name, password=password, flow=self.flow.key
        )
        if proven is None:
            raise ValidationError("This is not your current password.")
        return password


class PasswordForm(ProvenForm):
    """The old password and the new one, judged by Django's password validators."""

    new_password = forms.CharField(
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_new_password(self) -> str:
        password = self.cleaned_data["new_password"]
        validate_password(password, self.user)
        return password


class MoveForm(ProvenForm):
    """Another e-mail address, and the password."""

    new_email = AddressField()
    field_order = ["new_email", "current_password"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, auto_id="id_email_%s", **kwargs)
        self.fields["new_email"].label = "New e-mail address"
        self.fields["current_password"].label = "Your password"

    def clean_new_email(self) -> str:
        address: str = self.cleaned_data["new_email"]
        if address == by_mail.normal(self.user.email):
            raise ValidationError("This is your address already.")
        return address


# --- the pages of a flow --------------------------------------------------------------------


# Use cases draw their own transactions (see `ContractView`), and no cache may keep what is private.
PRIVATE: list[Callable[..., Any]] = [
    transaction.non_atomic_requests,
    never_cache,
    vary_on_headers("Cookie", "Authorization"),
]


@method_decorator(PRIVATE, name="dispatch")
class FlowPage(TemplateView):
    """A page of one flow."""

    flow: Flow = None  # type: ignore[assignment]  # given by a subclass, or to as_view
    page: str  # the last part of its URL's name, and the stem of its template

    def get_template_names(self) -> list[str]:
        return [f"{self.flow.key}_api/{self.page}.html"]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(flow=self.flow, page=self.page, **kwargs)

    def url(self, page: str) -> str:
        return reverse(f"{self.flow.key}_pages:{page}")

    def login_url(self) -> str:
        """Where to log in, and to come back from to this page."""
        return f"{self.url('login')}?next={quote(self.request.get_full_path())}"

    def not_sent(
        self, refusal: errors.ContractError, form: forms.Form, *, called: str = "form"
    ) -> HttpResponse:
        """The page with its form as it was filled in, and why no mail was sent."""
        errors.log(self.request, refusal)
        return self.put_off(refusal, form, called=called)

    def put_off(
        self, refusal: errors.ContractError, form: forms.Form, *, called: str = "form"
    ) -> HttpResponse:
        """The page with its form as it was filled in, and how long to wait with it."""
        form.add_error(None, str(refusal.detail))
        response = self.render_to_response(
            self.get_context_data(**{called: form}), status=refusal.status_code
        )
        response["Retry-After"] = str(refusal.wait)
        return response

    def say_goodbye(self, sentence: str) -> HttpResponse:
        """To the login page, without this flow's cookie."""
        # The tag tells the page's script, if there is one, to tell the other tabs.
        messages.success(self.request, sentence, extra_tags="ended")
        response = redirect(self.url("login"))
        self.flow.discard(response)
        return response


class LoginPage(FlowPage):
    """Prove a password and get a credential of this flow."""

    page = "login"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        asked = self.request.POST.get("next") or self.request.GET.get("next", "")
        return super().get_context_data(**{"form": LoginForm(), "next": asked, **kwargs})

    def post(self, request: HttpRequest) -> HttpResponseBase:
        form = LoginForm(request.POST)
        if not form.is_valid():
            return self.again(form)
        try:
            user = lifecycle.prove_password(request, flow=self.flow.key, **form.cleaned_data)
        except errors.Throttled as refusal:
            return self.put_off(refusal, form)
        if user is None:
            form.add_error(None, errors.BadLogin.default_detail)
            return self.again(form)
        last_login = user.last_login
        credential = lifecycle.log_in(request, self.flow, user)
        # Threat: said before the password was proven, it would tell a thief what gave them away.
        for event in ended_lately(user, last_login):
            day = f"{event.created:%d %B}"
            messages.warning(request, f"Since your last login: {event.sentence} UTC on {day}.")
        response = redirect(self.destination())
        self.flow.deliver(response, credential)
        remember_device(response, user.username)
        return response

    def again(self, form: LoginForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form))

    def destination(self) -> str:
        """The page that was asked for, or the profile.

        Threat: `?next=https://evil.example` would make our login the first half of a
        phishing page, so only paths of this host are followed.
        """
        asked = self.request.POST.get("next", "")
        # A path, too: `redirect` looks "x" up among the names of URLs, and finds none.
        ours = asked.startswith("/") and url_has_allowed_host_and_scheme(
            asked, allowed_hosts={self.request.get_host()}, require_https=self.request.is_secure()
        )
        return asked if ours else self.url("profile")


class LogoutPage(FlowPage):
    """End this device. `GET` only asks: a link or an image must not log anybody out."""

    page = "logout"

    def post(self, request: HttpRequest) -> HttpResponse:
        lifecycle.log_out(request, self.flow)
        return self.say_goodbye("You are logged out.")


@method_decorator(PRIVATE, name="dispatch")
class PersonalPage(FlowPage):
    """A page about the user who is asking; `presented` and `user` are set before a method runs."""

    presented: Presented
    user: User

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            self.identify(request)
        except errors.ContractError as refusal:
            if refusal.status_code != 401:
                raise
            if not isinstance(refusal, errors.NotAuthenticated):  # nobody: an ordinary visitor
                errors.log(request, refusal)
            return self.refuse(refusal)
        return super().dispatch(request, *args, **kwargs)

    def identify(self, request: HttpRequest) -> None:
        """Ask the flow who presents a credential, and read that user's row as it is now."""
        found = self.flow.authentication().authenticate(Request(request))
        if found is None:
            raise errors.NotAuthenticated
        self.presented = found[1]
        if self.presented.scope is not None:
            # Threat: a page can change everything; none is meant for an outside program.
            raise errors.CredentialInvalid("a limited credential, on a page")
        self.user = lifecycle.current_user(self.presented)

    def refuse(self, refusal: errors.ContractError) -> HttpResponseBase:
        """Answer a visitor who presented nothing, or nothing good."""
        raise refusal

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(person=self.user, **kwargs)


class ProfilePage(PersonalPage):
    """Who you are, two forms to change it, and what happened to your logins lately."""

    page = "profile"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        fresh: dict[str, Any] = {
            "name_form": NameForm(instance=self.user),
            "password_form": PasswordForm(request=self.request, user=self.user, flow=self.flow),
            "email_form": MoveForm(request=self.request, user=self.user, flow=self.flow),
            "events": self.recent_events(),
        }
        return super().get_context_data(**{**fresh, **kwargs})

    def recent_events(self) -> QuerySet[AuthEvent]:
        """What the user would want to notice; the refreshes between would hide it."""
        noticeable = self.user.auth_events.exclude(kind=AuthEvent.Kind.REFRESH)
        return noticeable[:RECENT_EVENTS]

    def post(self, request: HttpRequest) -> HttpResponseBase:
        if "new_email" in request.POST:
            return self.ask_to_move(request)
        if "new_password" in request.POST:
            return self.change_password(request)
        if "display_name" in request.POST:
            return self.rename(request)
        return redirect(self.url("profile"))

    def rename(self, request: HttpRequest) -> HttpResponseBase:
        form = NameForm(request.POST, instance=self.user)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(name_form=form))
        lifecycle.rename(self.user, form.cleaned_data["display_name"])
        messages.success(request, "Your display name is changed.")
        return redirect(self.url("profile"))

    def ask_to_move(self, request: HttpRequest) -> HttpResponseBase:
        form = MoveForm(request.POST, request=request, user=self.user, flow=self.flow)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(email_form=form))
        address = form.cleaned_data["new_email"]
        try:
            by_mail.ask_to_move(request, self.flow, self.user, address)
        except (errors.Throttled, MailUnavailable) as refusal:
            return self.not_sent(refusal, form, called="email_form")
        messages.success(request, f"A link is on its way to {address}. Nothing changes before.")
        return redirect(self.url("profile"))

    def change_password(self, request: HttpRequest) -> HttpResponseBase:
        form = PasswordForm(request.POST, request=request, user=self.user, flow=self.flow)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(password_form=form))
        new = form.cleaned_data["new_password"]
        credential = lifecycle.change_password(request, self.flow, self.user, new)
        messages.success(request, "Your password is changed. Every other device is logged out.")
        response = redirect(self.url("profile"))
        self.flow.deliver(response, credential)
        return response


@dataclass(frozen=True)
class DeviceRow:
    """One line of the devices page: the device, the flow it belongs to, and the honest sentence."""

    device: Device
    flow: Flow
    current: bool

    @property
    def takes_effect(self) -> str:
        """When ending the device bites: "at once", or "within 16 minutes"; never rounded down."""
        seconds = self.device.ends_within
        if seconds == 0:
            return "at once"
        word, length = next((each for each in LONG if seconds > 2 * each[1]), ("minute", 60))
        count = ceil(seconds / length)
        return f"within {count} {word}{pluralize(count)}"

    @property
    def name(self) -> str:
        """What a person calls it: a program by its name, a login by its browser."""
        return self.device.name or self.device.user_agent


class DevicesPage(PersonalPage):
    """Every place where the user is logged in, in both flows; each can be ended from here."""

    page = "devices"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        ended = ended_lately(self.user, timezone.now() - ENDED_LATELY)
        return super().get_context_data(rows=self.rows(), ended=ended, **kwargs)

    def rows(self) -> list[DeviceRow]:
        by_key = {flow.key: flow for flow in keepers()}
        return [
            DeviceRow(device, by_key[device.flow], device.id == self.presented.device)
            for device in lifecycle.devices(self.user)
        ]

    def post(self, request: HttpRequest) -> HttpResponseBase:
        device = request.POST.get("device", "")
        # Asked for by name: a body that could not be read must not end every login.
        if "everywhere" in request.POST:
            lifecycle.log_out_everywhere(request, self.flow, self.user)
            return self.say_goodbye("You are logged out everywhere.")
        row = next((row for row in self.rows() if row.device.id == device), None)
        if row is None or not lifecycle.end_device(request, self.user, device):
            messages.info(request, "That device was ended already.")
            return redirect(self.url("devices"))
        if row.current:
            return self.say_goodbye("You have ended this device and are logged out.")
        messages.success(request, f"Ended: {row.name}. It takes effect {row.takes_effect}.")
        return redirect(self.url("devices"))


# --- pages for when something is wrong ------------------------------------------------------


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's own CSRF check said no (`CSRF_FAILURE_VIEW`)."""
    failed = errors.CsrfFailed(reason)
    errors.log(request, failed)
    return answer_refusal(request, failed.status_code, errors.body(failed), page="403_csrf")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler400`: the request cannot be read, or is larger than any form here.

    Surprise: Django's own runs the CSRF check once more, which reads the form once more: a 500.
    """
    answer = {"detail": "This request cannot be read.", "code": "invalid"}
    return answer_refusal(request, 400, answer)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """`handler404`."""
    missing = NotFound()
    return answer_refusal(request, missing.status_code, errors.body(missing))


def server_error(request: HttpRequest) -> HttpResponse:
    """`handler500`. The page touches no store: one of them may be what broke."""
    answer = {"detail": "Something went wrong on our side.", "code": "server_error"}
    return answer_refusal(request, 500, answer)
