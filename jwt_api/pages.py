"""Which pages does the jwt flow serve to a browser? Its twin is `sessions_api/pages.py`.

The access token lives in the memory of a script, and a browser that follows a link
sends no `Authorization` header. So a personal page answers the navigation with
nothing but a script; the script refreshes, asks for the same page once more with the token,
and puts the answer in place (`accounts/static/accounts/visit.js`). Login and logout
need no token and work without JavaScript.

Why not fill an empty page from the API: it would take a second copy of every page,
in JavaScript, and an endpoint more for whatever the contract does not have.
"""

from django.http import HttpResponseBase
from django.shortcuts import render

from accounts import pages
from accounts.contract.errors import ContractError, NotAuthenticated
from jwt_api.flow import flow


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
    """`/jwt/devices/`"""
