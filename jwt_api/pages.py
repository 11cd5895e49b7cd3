"""Which pages does the jwt flow serve to a browser? Its twin is `sessions_api/pages.py`.

The access token lives in the memory of a script, and a browser that follows a link
sends no `Authorization` header. So a personal page answers the navigation with
nothing but a script; the script refreshes, asks for the same page once more with the token,
and puts the answer in place (`accounts/static/accounts/visit.js`). Login and logout
need no token and work without JavaScript.

Why not fill an empty page from the API: it would take a second copy of every page,
in JavaScript, and an endpoint more for whatever the contract does not have.
"""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from accounts import pages
from accounts.contract.errors import ContractError, NotAuthenticated
from jwt_api import programs
from jwt_api.flow import flow
from jwt_api.forms import TokenForm


class LoginPage(pages.LoginPage):
    """`/jwt/login/`"""

    flow = flow


class LogoutPage(pages.LogoutPage):
    """`/jwt/logout/`"""

    flow = flow


class PersonalPage(pages.PersonalPage):
    """Answers a visitor without an access token with the script that can fetch one."""

    flow = flow

    def refuse(self, refusal: ContractError) -> HttpResponseBase:
        context = {
            "flow": self.flow,
            "page": self.page,
            "code": refusal.default_code,
            "login_url": self.login_url(),
        }
        # A navigation has done nothing wrong; a token that was shown and is not good is refused.
        came_bare = isinstance(refusal, NotAuthenticated)
        status = 200 if came_bare else refusal.status_code
        response = render(self.request, "accounts/waiting.html", context, status=status)
        response["WWW-Authenticate"] = f'{self.flow.scheme} realm="authdemo"'
        return response


class ProfilePage(PersonalPage, pages.ProfilePage):
    """`/jwt/profile/`"""


class DevicesPage(PersonalPage, pages.DevicesPage):
    """`/jwt/devices/`, where tokens for outside programs are made as well."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**{"token_form": TokenForm(), **kwargs})

    def post(self, request: HttpRequest) -> HttpResponseBase:
        if "name" not in request.POST:
            return super().post(request)
        form = TokenForm(request.POST)
        made, token = None, ""
        if form.is_valid():
            try:
                device = self.presented.device
                made, token = programs.make(request, self.user, device, **form.wanted())
                form = TokenForm()
            except programs.TooManyTokens:
                form.add_error(None, f"You have {programs.MOST_TOKENS} of them. End one first.")
        # Not redirected: the next page could not show it any more.
        context = self.get_context_data(token_form=form, made=made, token=token)
        return self.render_to_response(context)
