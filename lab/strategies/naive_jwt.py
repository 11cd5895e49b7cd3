"""What do most tutorials build? The strategy `jwt-naive`: weak on purpose, and only here.

One token, good for a day, which a script keeps in localStorage. Nothing is remembered, so that
nothing can be ended, listed or renewed: a logout throws away the client's copy, and a
thief's goes on. Never mounted unless the lab is on; its tokens have an audience of their own
and open nothing else.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import update_last_login
from django.http import HttpRequest, HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.contract import flow as contract
from accounts.contract.errors import NotAuthenticated
from accounts.contract.flow import (
    Credential,
    Device,
    EndedDevice,
    Presented,
    Remembered,
    new_device_id,
)
from accounts.models import User
from jwt_api.authentication import bearer_token, holder, token_errors
from jwt_api.revocation import roles_in
from jwt_api.tokens import AccessToken

DAY = timedelta(days=1)


class NaiveToken(AccessToken):
    """An access token for a whole day."""

    token_type = "nt"  # noqa: S105  # a word, not a password
    lifetime = DAY

    @property
    def audience(self) -> str:
        # Threat: with the flow's own audience it would be a day's key to the real API.
        return "lab-naive"


class Authentication(BaseAuthentication):
    """The token in `Authorization: Bearer`; its signature is all that is asked."""

    def authenticate(self, request: Request) -> tuple[User, Presented] | None:
        text = bearer_token(request)
        if text is None:
            return None
        with token_errors("access token"):
            token = NaiveToken(text)  # type: ignore[arg-type]
        return holder(token, flow=Flow.key, roles=roles_in(token))

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="authdemo"'


class Flow(contract.Flow):
    """The client holds one long token; the server, nothing."""

    key = "jwt-naive"
    title = "JWT, naive"
    icon = "⚠"
    scheme = "Bearer"
    summary = "One token for a day in localStorage. Weak on purpose: nothing can end it."
    authentication = Authentication

    def issue(self, request: HttpRequest, user: User) -> Credential:
        token = NaiveToken()
        token["sub"] = str(user.pk)
        token["client_id"] = settings.JWT_CLIENT_ID
        token["sid"] = new_device_id()
        token["epoch"] = user.epoch
        token["roles"] = user.roles
        update_last_login(User, user)
        return Credential(
            scheme=self.scheme,
            token=str(token),
            expires_in=int(DAY.total_seconds()),
            user_id=user.pk,
            device=token.device,
        )

    def renew(self, request: HttpRequest) -> Credential:
        """There is nothing to renew it with: after a day, log in again."""
        raise NotAuthenticated("no refresh token in this strategy")

    def revoke(self, request: HttpRequest) -> EndedDevice | None:
        """Nothing was kept, so nothing ends: the token is good until its `exp`."""
        return None

    def revoke_device(self, user_id: int, device: str) -> bool:
        return False

    def devices(self, user_id: int) -> list[Device]:
        return []

    def remembered(self, user_id: int) -> list[Remembered]:
        return []

    def deliver(self, response: HttpResponseBase, credential: Credential) -> None:
        """No cookie: the token is in the body, for localStorage."""

    def discard(self, response: HttpResponseBase) -> None:
        """The server has nothing to take back; the script forgets the token, if it likes."""


flow = Flow()
