"""What if no script ever sees the access token? The strategy `jwt-cookie`.

The jwt flow, with its access token in an HttpOnly cookie beside the refresh cookie: a script
that an attacker injects cannot carry it away. The browser now sends it by itself, so that
unsafe calls need the CSRF token, as with a session.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from accounts.contract.csrf import enforce_csrf
from accounts.contract.errors import CredentialInvalid
from accounts.contract.flow import Credential, Presented
from accounts.models import User
from jwt_api import flow as jwt
from jwt_api.authentication import holder, read_access_token
from jwt_api.revocation import roles_in
from jwt_api.tokens import ProgramAccessToken


@dataclass(frozen=True)
class HiddenToken(Credential):
    """A credential whose access token goes into a cookie; it is kept out of `repr`, too."""

    access: str = field(default="", repr=False)


def hide_token(credential: Credential) -> HiddenToken:
    known = {**vars(credential), "scheme": Flow.scheme, "token": None}
    return HiddenToken(**known, access=credential.token or "")


class Authentication(BaseAuthentication):
    """The access token in the cookie, and nothing else: no header opens anything here."""

    def authenticate(self, request: Request) -> tuple[User, Presented] | None:
        text = request._request.COOKIES.get(settings.LAB_ACCESS_COOKIE_NAME)
        if not text:
            return None
        token = read_access_token(text.encode())
        if isinstance(token, ProgramAccessToken):
            raise CredentialInvalid("a program's token")
        if request.method not in SAFE_METHODS:
            # Threat: the browser sends the cookie along with a request that another site made.
            enforce_csrf(request._request)
        return holder(token, flow=Flow.key, roles=roles_in(token))

    def authenticate_header(self, request: Request) -> str:
        return 'Session realm="authdemo"'


class Flow(jwt.Flow):
    """The client holds two cookies, and no script sees either; the server, a row per login."""

    key = "jwt-cookie"
    title = "JWT in a cookie"
    icon = "⛯"
    scheme = "Session"  # the contract's word for "the cookie says it all"
    summary = "The jwt flow, with its access token in an HttpOnly cookie that no script can read."
    authentication = Authentication  # type: ignore[assignment]
    revocation = "expiry"

    def issue(self, request: HttpRequest, user: User) -> Credential:
        return hide_token(super().issue(request, user))

    def renew(self, request: HttpRequest) -> Credential:
        return hide_token(super().renew(request))

    def deliver(self, response: HttpResponseBase, credential: Credential) -> None:
        super().deliver(response, credential)
        assert isinstance(credential, HiddenToken)
        response.set_cookie(
            settings.LAB_ACCESS_COOKIE_NAME,
            credential.access,
            # Longer than the token is good for: a browser that had dropped it could not be told
            # that it has expired, and would log in anew instead of refreshing.
            max_age=credential.secret_expires_in,
            secure=settings.REFRESH_COOKIE_SECURE,
            httponly=True,
            # As strict as its neighbour: only scripts of this site call the API, and no link that
            # somebody follows from elsewhere leads there.
            samesite=settings.REFRESH_COOKIE_SAMESITE,
        )

    def discard(self, response: HttpResponseBase) -> None:
        super().discard(response)
        response.delete_cookie(
            settings.LAB_ACCESS_COOKIE_NAME, samesite=settings.REFRESH_COOKIE_SAMESITE
        )


flow = Flow()
