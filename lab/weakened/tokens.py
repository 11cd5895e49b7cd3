"""How can a weak variant of the jwt flow open nothing else? Its tokens have audiences of their own.

Inside it is the flow as it is: families, rotation, checks. At its border each token is signed
anew: under the variant's audiences on the way out, under the flow's own on the way in. No token
of the flow ever leaves it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenBackendError

from accounts.contract.errors import CredentialInvalid
from accounts.contract.flow import Credential, EndedDevice, Presented
from accounts.models import User
from jwt_api import flow as jwt
from jwt_api.authentication import bearer_token, holder, verify_access_token
from jwt_api.revocation import roles_in
from jwt_api.tokens import AccessToken, KeyRingBackend, RefreshToken
from lab.strategies.row import SameSite

NO_TOKEN = "-"  # noqa: S105


class Authentication(BaseAuthentication):
    """The variant's own access token in `Authorization: Bearer`."""

    flow: ClassVar[Flow]

    def authenticate(self, request: Request) -> tuple[User, Presented] | None:
        text = bearer_token(request)
        return None if text is None else self.flow.holder_of(text)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="authdemo"'


class Flow(jwt.Flow):
    """The jwt flow, with a cookie and with audiences of its own."""

    icon = "⚠"
    revocation = "expiry"

    def __init__(self, key: str) -> None:
        class OfThisFlow(Authentication):
            flow = self

        self.key, self.authentication = key, OfThisFlow  # type: ignore[misc, assignment]

    @property
    def cookie_name(self) -> str:
        return f"{settings.COOKIE_PREFIX}{self.key}"

    @property
    def audience(self) -> str:
        return f"lab-{self.key}"

    @property
    def refresh_audience(self) -> str:
        return f"lab-{self.key}-refresh"

    def issue(self, request: HttpRequest, user: User) -> Credential:
        return self.let_out(super().issue(request, user))

    def renew(self, request: HttpRequest) -> Credential:
        self.let_in(request)
        return self.let_out(super().renew(request))

    def revoke(self, request: HttpRequest) -> EndedDevice | None:
        self.let_in(request)
        return super().revoke(request)

    @property
    def samesite(self) -> SameSite:
        return settings.REFRESH_COOKIE_SAMESITE

    @property
    def cookie_names(self) -> tuple[str, ...]:
        return (self.cookie_name,)

    def secrets_of(self, credential: Credential) -> tuple[str, ...]:
        """What goes into the cookies of `cookie_names`, in their order."""
        return (credential.secret or "",)

    def deliver(self, response: HttpResponseBase, credential: Credential) -> None:
        for name, value in zip(self.cookie_names, self.secrets_of(credential), strict=True):
            response.set_cookie(
                name,
                value,
                max_age=credential.secret_expires_in,
                secure=settings.REFRESH_COOKIE_SECURE,
                httponly=True,
                samesite=self.samesite,
            )

    def discard(self, response: HttpResponseBase) -> None:
        for name in self.cookie_names:
            response.delete_cookie(name, samesite=self.samesite)

    # --- the border ---------------------------------------------------------------------------

    def let_out(self, credential: Credential) -> Credential:
        """The credential, its tokens signed for this variant and for nothing else."""
        access = KeyRingBackend(AccessToken.typ, settings.SIMPLE_JWT["AUDIENCE"])
        refresh = KeyRingBackend(RefreshToken.typ, settings.SIMPLE_JWT["ISSUER"])
        own = KeyRingBackend(RefreshToken.typ, self.refresh_audience)
        return replace(
            credential,
            token=self.access_backend.encode(access.decode(credential.token)),
            secret=own.encode(refresh.decode(credential.secret)),
        )

    def let_in(self, request: HttpRequest) -> None:
        """Put the refresh token of the variant's cookie where the flow looks for its own.

        Threat: whatever stands there already is the flow's, and must open nothing here.
        """
        request.COOKIES.pop(settings.REFRESH_COOKIE_NAME, None)
        if text := request.COOKIES.get(self.cookie_name):
            request.COOKIES[settings.REFRESH_COOKIE_NAME] = self._refresh_text(text)

    def _refresh_text(self, text: str) -> str:
        own = KeyRingBackend(RefreshToken.typ, self.refresh_audience)
        try:
            claims = own.decode(text, verify=False)  # the flow itself looks at the time
        except TokenBackendError:
            return NO_TOKEN
        return KeyRingBackend(RefreshToken.typ, settings.SIMPLE_JWT["ISSUER"]).encode(claims)

    @property
    def access_backend(self) -> KeyRingBackend:
        return KeyRingBackend(AccessToken.typ, self.audience)

    def holder_of(self, text: bytes) -> tuple[User, Presented]:
        """Whom a token of this variant names; raises what is wrong with it."""
        try:
            claims = self.claims_of(text)
        except TokenBackendError as error:
            raise CredentialInvalid(f"access token: {error}") from error
        own = KeyRingBackend(AccessToken.typ, settings.SIMPLE_JWT["AUDIENCE"])
        token = verify_access_token(own.encode(claims).encode())
        return holder(token, flow=self.key, roles=roles_in(token))

    def claims_of(self, text: bytes) -> dict[str, Any]:
        """What an access token of this variant says; the flow itself looks at its time and shape.

        Raises `TokenBackendError`.
        """
        return self.access_backend.decode(text, verify=False)
