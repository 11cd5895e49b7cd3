"""Who is asking? In the jwt flow: whoever the signed claims say.

One signature, which each process checks once; no SQL, and no Redis unless JWT_REVOCATION asks for
it. Its twin is `sessions_api.authentication`.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from jwt.exceptions import InvalidAudienceError
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import ExpiredTokenError, TokenError

from accounts.contract.checking import check
from accounts.contract.errors import (
    CredentialExpired,
    CredentialInvalid,
    CredentialRevoked,
    TokenTwice,
)
from accounts.contract.flow import Presented
from accounts.models import User
from jwt_api import programs
from jwt_api.revocation import roles_now
from jwt_api.tokens import AccessToken, ProgramAccessToken
from jwt_api.verified import verified


class Authentication(BaseAuthentication):
    """The access token in `Authorization: Bearer`, and nothing else: no cookie opens anything.

    A request without a cookie's authority cannot be forged by another site, so that no
    CSRF check is needed here.
    """

    revocation: str | None = None
    """How a revoked token is told: `expiry`, `lookup` or `push`; None: as JWT_REVOCATION says."""

    def authenticate(self, request: Request) -> tuple[User, Presented] | None:
        text = bearer_token(request)
        if text is None:
            return None
        if "access_token" in request.query_params or "access_token" in _form_of(request):
            raise TokenTwice("Authorization header and another method")
        token = read_access_token(text)
        scope: frozenset[str] | None = None
        roles: tuple[str, ...] = ()
        if isinstance(token, ProgramAccessToken):
            scope = self.looked_up(token, request)
        else:
            roles = roles_now(token, self.revocation or settings.JWT_REVOCATION)
        return holder(token, flow="jwt", roles=roles, scope=scope)

    @check("program", "The row of the program's token is there: its user has not ended it.")
    def looked_up(self, token: ProgramAccessToken, request: Request) -> frozenset[str]:
        """What a program's token may do, as long as its row is there.

        Why a lookup: it lives for days, and its user must be able to end it. One SQL statement
        for these tokens only, and one more a minute to note their use.
        """
        row = programs.row_of(token)
        if row is None:
            raise CredentialRevoked("program's token")
        programs.note_use(row, request._request)
        return token.scope

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="authdemo"'


@check("bearer", "The Authorization header, if it brings a bearer token, brings exactly one.")
def bearer_token(request: Request) -> bytes | None:
    """The text in `Authorization: Bearer`; None where another scheme, or nothing, was sent."""
    scheme, *rest = get_authorization_header(request).split() or [b""]
    if scheme.lower() != b"bearer":
        return None
    if len(rest) != 1:
        raise CredentialInvalid("malformed Authorization header")
    return rest[0]


def holder(
    token: AccessToken, *, flow: str, roles: tuple[str, ...], scope: frozenset[str] | None = None
) -> tuple[User, Presented]:
    """Whom a token that passed names, and what it says, as far as a view of the contract asks."""
    presented = Presented(
        flow=flow,
        user_id=token.user_id,
        epoch=token["epoch"],
        device=token.device,
        roles=roles,
        scope=scope,
    )
    user = User.from_known(
        id=presented.user_id,
        epoch=presented.epoch,
        is_active=True,
        is_staff="staff" in roles,
        is_superuser="admin" in roles,
    )
    return user, presented


def _form_of(request: Request) -> Iterable[str]:
    """The fields of a page's form. The API, which has a parser, answers 415 to any form."""
    return () if request.parsers else request._request.POST


def read_access_token(text: bytes) -> AccessToken:
    """The token, if every check passes; raises `CredentialExpired` or `CredentialInvalid`."""
    return verified(text, verify_access_token)


def verify_access_token(text: bytes) -> AccessToken:
    """As `read_access_token`, with nothing remembered.

    A login's, or a program's: they differ in their audience, which is checked after the signature.
    """
    with token_errors("access token"):
        try:
            return AccessToken(text)  # type: ignore[arg-type]
        except TokenError as error:
            if not is_for_programs(error):
                raise
            return ProgramAccessToken(text)  # type: ignore[arg-type]


@contextmanager
def token_errors(what: str) -> Iterator[None]:
    """Say in the contract's words what SimpleJWT's classes find wrong with a token."""
    try:
        yield
    except ExpiredTokenError as error:
        raise CredentialExpired(what) from error
    except TokenError as error:
        raise CredentialInvalid(f"{what}: {error.__cause__ or error}") from error


def is_for_programs(error: BaseException | None) -> bool:
    """Whether all was right with a token up to its audience: no login's, then, but a program's?"""
    while error is not None and not isinstance(error, InvalidAudienceError):
        error = error.__cause__
    return error is not None


class AuthenticationScheme(OpenApiAuthenticationExtension):
    """What `/api/schema/` says of this flow's credential."""

    target_class = Authentication
    name = ["jwt", "jwt-refresh"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> dict[str, list[str]]:
        by_cookie = getattr(auto_schema.view, "by_cookie", False)
        return {"jwt-refresh": []} if by_cookie else {"jwt": []}

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, str]]:
        bearer = {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "`credential.token` from `/api/jwt/login/` or `/api/jwt/refresh/`.",
        }
        cookie = {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.REFRESH_COOKIE_NAME,
            "description": "Log in at `/api/jwt/login/`; it opens `refresh` and `logout` alone.",
        }
        return [bearer, cookie]
