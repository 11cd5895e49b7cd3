"""Which pages does the sessions flow serve to a browser? Its twin is `jwt_api/pages.py`.

The browser sends the session cookie with every navigation, so a page knows at once
who is asking, and needs no script.
"""

from django.http import HttpResponseBase
from django.shortcuts import redirect

from accounts import pages
from accounts.contract.errors import ContractError
from sessions_api.flow import flow


class LoginPage(pages.LoginPage):
    """`/sessions/login/`"""

    flow = flow


class LogoutPage(pages.LogoutPage):
    """`/sessions/logout/`"""

    flow = flow


class PersonalPage(pages.PersonalPage):
    """Sends a visitor without a live session to the login page."""

    flow = flow

    def refuse(self, refusal: ContractError) -> HttpResponseBase:
        return redirect(self.login_url())


class ProfilePage(PersonalPage, pages.ProfilePage):
    """`/sessions/profile/`"""


class DevicesPage(PersonalPage, pages.DevicesPage):
    """`/sessions/devices/`"""
