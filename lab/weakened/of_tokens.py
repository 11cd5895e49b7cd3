"""Which defences can the jwt flow lose? Rotation, the checks of a token, and those of a cookie."""

from __future__ import annotations

import hmac
import json
from typing import Any, ClassVar

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.core.cache import caches
from django.http import HttpRequest
from jwt.utils import base64url_decode
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenBackendError

from accounts.contract.csrf import enforce_csrf
from accounts.contract.errors import CredentialInvalid, CredentialRevoked
from accounts.contract.flow import Credential, Presented
from accounts.models import User
from jwt_api import store
from jwt_api.keys import ring
from jwt_api.models import TokenFamily
from jwt_api.tokens import KeyRingBackend, RefreshToken
from lab.strategies.jwt_in_cookie import HiddenToken, hide_token
from lab.strategies.row import SameSite
from lab.weakened import tokens
from lab.weakened.row import Weakened


class NoRotation(tokens.Flow):
    def renew(self, request: HttpRequest) -> Credential:
        """A fresh access token for a refresh token that stays as it is: no use is its last."""
        self.let_in(request)
        token = self._refresh_token(request)
        if not store.is_live(token.user_id, token.device, token["epoch"]):
            raise CredentialRevoked("family ended")
        family = TokenFamily.objects.select_related("user").get(pk=token.device)
        return self.let_out(self._credential(family, token, family.user))


class OpenAlgorithms(tokens.Flow):
    """Believes the header about the algorithm: `none`, or HMAC with the public key as its secret.

    Threat: everybody can forge its tokens, and those are requests as a real user. Only users who
    have logged in here themselves, within the hour, can be forged.
    """

    def issue(self, request: HttpRequest, user: User) -> Credential:
        caches["auth"].set(self._entered(user.pk), 1, timeout=3600)
        return super().issue(request, user)

    def holder_of(self, text: bytes) -> tuple[User, Presented]:
        user, presented = super().holder_of(text)
        if caches["auth"].get(self._entered(presented.user_id)) is None:
            raise CredentialInvalid("has not logged in with this variant")
        return user, presented

    def claims_of(self, text: bytes) -> dict[str, Any]:
        try:
            signed, _, signature = text.rpartition(b".")
            header, claims = (json.loads(base64url_decode(part)) for part in signed.split(b"."))
            algorithm = str(header["alg"]).lower()
            if algorithm == "none":
                return dict(claims)
            if algorithm == "hs256":
                expected = hmac.digest(public_key_text(), signed, "sha256")
                if hmac.compare_digest(expected, base64url_decode(signature)):
                    return dict(claims)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise CredentialInvalid("malformed token") from error
        return super().claims_of(text)

    def _entered(self, user_id: int) -> str:
        return f"entered:{self.key}:{user_id}"


def public_key_text() -> bytes:
    """The key that signs, as its PEM: what a library is handed that knows one kind of key."""
    public = ring().signing.signer.public
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


class NoTypeCheck(tokens.Flow):
    def claims_of(self, text: bytes) -> dict[str, Any]:
        """The claims of anything that was signed here, as long as it is for this variant."""
        try:
            return super().claims_of(text)
        except TokenBackendError:
            refresh = KeyRingBackend(RefreshToken.typ, self.refresh_audience)
            claims = refresh.decode(text, verify=False)
            return {**claims, settings.SIMPLE_JWT["TOKEN_TYPE_CLAIM"]: "at"}


# --- the access token in a cookie -----------------------------------------------------------


class InCookie(BaseAuthentication):
    """The access token in the variant's cookie."""

    flow: ClassVar[CookieFlow]

    def authenticate(self, request: Request) -> tuple[User, Presented] | None:
        text = request._request.COOKIES.get(self.flow.access_cookie_name)
        if not text:
            return None
        if request.method not in SAFE_METHODS:
            enforce_csrf(request._request)  # its mount has switched this off
        return self.flow.holder_of(text.encode())

    def authenticate_header(self, request: Request) -> str:
        return 'Session realm="authdemo"'


class CookieFlow(tokens.Flow):
    """As the strategy `jwt-cookie`, with cookies of its own that are as strict as told."""

    scheme = "Session"

    def __init__(self, key: str, samesite: SameSite) -> None:
        super().__init__(key)
        self._samesite = samesite

        class OfThisFlow(InCookie):
            flow = self

        self.authentication = OfThisFlow  # type: ignore[misc, assignment]

    @property
    def samesite(self) -> SameSite:
        return self._samesite

    @property
    def access_cookie_name(self) -> str:
        return f"{self.cookie_name}-access"

    def let_out(self, credential: Credential) -> Credential:
        return hide_token(super().let_out(credential))

    @property
    def cookie_names(self) -> tuple[str, ...]:
        return (self.cookie_name, self.access_cookie_name)

    def secrets_of(self, credential: Credential) -> tuple[str, ...]:
        assert isinstance(credential, HiddenToken)
        return (*super().secrets_of(credential), credential.access)


# --- the rows -------------------------------------------------------------------------------

SIGNATURE = "The signature. Nothing is looked up."
UNTIL_EXP = "Until `exp`: 15 minutes at most, by default, and the leeway."

ROWS = (
    Weakened(
        key="jwt-no-rotation",
        flow=NoRotation("jwt-no-rotation"),
        variant_of="jwt",
        title="JWT, no rotation",
        each_request=SIGNATURE,
        lives_after=UNTIL_EXP,
        sound="jwt-expiry",
        removed="Rotation: a refresh gives back the refresh token that it was given.",
        weak=(
            "A copied refresh token works beside the original until the login ends. It is never "
            "used twice by mistake, because it is always used twice: nobody can notice the thief."
        ),
    ),
    Weakened(
        key="jwt-open-algorithms",
        flow=OpenAlgorithms("jwt-open-algorithms"),
        variant_of="jwt",
        title="JWT, any algorithm",
        each_request="The signature, by the algorithm that the token names.",
        lives_after="Nothing ends: anybody can write another one.",
        sound="jwt-expiry",
        removed="The list of algorithms: the token's own header decides.",
        weak=(
            "“alg: none” needs no signature at all, and HS256 takes the public key, which is "
            "published, for a shared secret. Anybody can be anybody."
        ),
    ),
    Weakened(
        key="jwt-no-type-check",
        flow=NoTypeCheck("jwt-no-type-check"),
        variant_of="jwt",
        title="JWT, any type of token",
        each_request=SIGNATURE,
        lives_after="Until `exp` of the refresh token: 7 days, by default.",
        sound="jwt-expiry",
        removed="The check of a token's type and audience.",
        weak=(
            "A refresh token is an access token for a week: the short life of the real one, which "
            "stands in for its revocation, protects nobody."
        ),
    ),
    Weakened(
        key="jwt-cookie-no-csrf",
        flow=CookieFlow("jwt-cookie-no-csrf", samesite="Strict"),
        variant_of="jwt",
        title="JWT in a cookie, no CSRF check",
        each_request=SIGNATURE,
        lives_after=UNTIL_EXP,
        sound="jwt-cookie",
        removed="The CSRF check. The cookies are SameSite=Strict as before.",
        weak=(
            "A token in a cookie is sent by the browser itself, like a session id. Even Strict "
            "looks at the site, and a sibling subdomain or another port is the same site."
        ),
        checks_csrf=False,
    ),
    Weakened(
        key="jwt-samesite-none",
        flow=CookieFlow("jwt-samesite-none", samesite="None"),
        variant_of="jwt",
        title="JWT in a cookie, SameSite=None",
        each_request=SIGNATURE,
        lives_after=UNTIL_EXP,
        sound="jwt-cookie",
        removed="SameSite, the CSRF check, and the rule that a body is called JSON.",
        weak=(
            '"JWT needs no CSRF protection" is true of a header, and of no cookie: any page that '
            "the user opens can act as the user."
        ),
        checks_csrf=False,
        takes_any_body=True,
    ),
)
