"""How does the API say no? In one shape, with a `code` that tells the client what to do next."""

from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import Error, InterfaceError, OperationalError
from django.http import Http404, HttpRequest
from django.utils.cache import add_never_cache_headers
from redis.exceptions import RedisError
from rest_framework import exceptions, status
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import set_rollback

from accounts import security_log


class ContractError(exceptions.APIException):
    """A refusal of the contract. Subclasses fix status, code and the one calm sentence."""

    def __init__(self, log_reason: str = "", *, retry_after: int | None = None) -> None:
        """`log_reason` is for the log only: the precise cause that the client is not told."""
        super().__init__()
        self.log_reason = log_reason
        self.wait = retry_after


class BadLogin(ContractError):
    """The username or the password is wrong, or the account may not log in: never says which."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_code = "bad_login"
    default_detail = "The username or the password is not right."


class NotAuthenticated(ContractError):
    """No credential of this flow came with the request. Log in."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_code = "not_authenticated"
    default_detail = "Log in first."


class CredentialInvalid(ContractError):
    """The credential is malformed, forged or unknown. Log in again."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_code = "credential_invalid"
    default_detail = "This credential is not valid. Log in again."


class CredentialExpired(ContractError):
    """The credential was good and its time is over. Refresh; if that fails, log in again."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_code = "credential_expired"
    default_detail = "This credential has expired."


class CredentialRevoked(ContractError):
    """The device was ended: logout, logout-all, password change, deactivation. Log in again."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_code = "credential_revoked"
    default_detail = "This login was ended. Log in again."


class CredentialReused(ContractError):
    """A refresh token came a second time, so somebody holds a copy; the family is ended."""

    status_code = status.HTTP_401_UNAUTHORIZED
    default_code = "credential_reused"
    default_detail = "This login was used twice and has been ended for safety. Log in again."


class CsrfFailed(ContractError):
    """The CSRF token is missing or wrong. Fetch `/api/csrf/` and send the request once more."""

    status_code = status.HTTP_403_FORBIDDEN
    default_code = "csrf_failed"
    default_detail = "The CSRF token is missing or wrong. Get a new one from /api/csrf/."


class InsufficientScope(ContractError):
    """A limited credential was used for what it was not made for (RFC 6750, section 3.1)."""

    status_code = status.HTTP_403_FORBIDDEN
    default_code = "permission_denied"
    default_detail = "This token was not made for that."

    def __init__(self, needed: str | None) -> None:
        super().__init__(f"scope {needed}" if needed else "closed to limited credentials")
        self.needed = needed


class Throttled(ContractError):
    """Too many attempts. Wait for `Retry-After` seconds.

    `is_first` marks the first attempt of a window that its limit refused.
    """

    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_code = "throttled"
    default_detail = "Too many attempts. Wait a little and try again."

    def __init__(self, log_reason: str, *, retry_after: int, is_first: bool) -> None:
        super().__init__(log_reason, retry_after=retry_after)
        self.is_first = is_first
        wait = f"{retry_after} second{'' if retry_after == 1 else 's'}"
        self.detail = exceptions.ErrorDetail(f"Too many attempts. Try again in {wait}.")


class StoreUnavailable(ContractError):
    """Redis or the database did not answer. Nothing was decided; keep the cookie and retry."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_code = "store_unavailable"
    default_detail = "The server cannot reach its store right now. Try again in a moment."

    def __init__(self, log_reason: str = "", *, retry_after: int = 2) -> None:
        super().__init__(log_reason, retry_after=retry_after)


class BodyTooLarge(ContractError):
    """The body is larger than any call needs (`DATA_UPLOAD_MAX_MEMORY_SIZE`)."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "invalid"
    default_detail = "The body is too large."


class TokenTwice(ContractError):
    """The access token came in the header and in a second way as well (RFC 6750, section 2)."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "invalid"
    default_detail = "Send the access token in the Authorization header, and nowhere else."


class CookieTossed(ContractError):
    """A cookie of ours came twice, or in disguise: nobody can tell which one is real."""

    status_code = status.HTTP_400_BAD_REQUEST
    default_code = "invalid"
    default_detail = (
        "This site's cookies came more than once. Delete the cookies of this site and log in again."
    )


JSON_AND_ITS_PAGE = (JSONRenderer, BrowsableAPIRenderer)
STORE_ERRORS = (RedisError, OperationalError, InterfaceError)

# DRF's own refusals, in the contract's words. All others keep their status and get "invalid".
CODES = {
    exceptions.NotAuthenticated: ("not_authenticated", NotAuthenticated.default_detail),
    exceptions.PermissionDenied: ("permission_denied", "You may not do this."),
    exceptions.NotFound: ("not_found", "There is nothing here."),
    exceptions.ParseError: ("invalid", "The body is not valid JSON."),
}


def exception_handler(exception: Exception, context: dict[str, Any]) -> Response | None:
    """Answer every error in the contract's form; DRF calls this (`EXCEPTION_HANDLER`).

    Returns None for a programming error, which is Django's to answer with a 500.
    """
    if isinstance(exception, STORE_ERRORS):
        exception = store_unavailable(exception)
    elif isinstance(exception, RequestDataTooBig):
        exception = BodyTooLarge()
    elif isinstance(exception, Http404):
        exception = exceptions.NotFound()
    elif isinstance(exception, PermissionDenied):
        exception = exceptions.PermissionDenied()
    if not isinstance(exception, exceptions.APIException):
        return None

    set_rollback()
    request = context["request"]
    if exception.status_code >= 500:
        keep_csrf_cookie(request)
    response = Response(body(exception), status=exception.status_code)
    challenge = getattr(exception, "auth_header", None)
    if exception.status_code in (401, 403) and challenge:
        response["WWW-Authenticate"] = challenge
    if (wait := getattr(exception, "wait", None)) is not None:
        response["Retry-After"] = str(wait)
    # Surprise: a 404 without instructions may be cached, and served to the next user.
    add_never_cache_headers(response)
    answer_as_json(request)
    log(request, exception)
    return response


def answer_as_json(request: Request) -> None:
    """Refuse in the one form, also where the answer would have been YAML or a page of its own."""
    if not isinstance(getattr(request, "accepted_renderer", None), JSON_AND_ITS_PAGE):
        request.accepted_renderer = JSONRenderer()
        request.accepted_media_type = JSONRenderer.media_type


def keep_csrf_cookie(request: HttpRequest | Request) -> None:
    """Take back the new CSRF secret that a login has ordered which then failed.

    Surprise: Django sends it with whatever is answered, and what the page was about to ask
    once more would be refused.
    """
    request.META["CSRF_COOKIE_NEEDS_UPDATE"] = False


def body(exception: exceptions.APIException) -> dict[str, Any]:
    """The JSON of a refusal: `detail`, `code`, and for validation `errors` by field."""
    if isinstance(exception, ContractError):
        return {"detail": str(exception.detail), "code": exception.default_code}
    if isinstance(exception, exceptions.ValidationError):
        errors = exception.detail
        if not isinstance(errors, dict):
            errors = {"non_field_errors": errors}
        return {"detail": "Some values are not right.", "code": "invalid", "errors": errors}
    for kind, (code, detail) in CODES.items():
        if isinstance(exception, kind):
            return {"detail": str(detail), "code": code}
    return {"detail": str(exception.detail), "code": "invalid"}


def store_unavailable(error: Exception) -> StoreUnavailable:
    """The refusal for an error of a store's client, which it keeps as its cause."""
    refusal = StoreUnavailable(type(error).__name__)
    refusal.__cause__ = error
    return refusal


def store_of(exception: BaseException) -> str:
    """Which store was away: `redis`, `database`, or nothing if the refusal has another cause."""
    cause = exception.__cause__
    if isinstance(cause, RedisError):
        return "redis"
    return "database" if isinstance(cause, Error) else ""


def log(request: HttpRequest | Request, exception: exceptions.APIException) -> None:
    """One line per refusal, with the cause that the client is not told."""
    security_log.refusal(
        getattr(request, "_request", request),  # DRF's request wraps Django's
        status=exception.status_code,
        code=body(exception)["code"],
        cause=getattr(exception, "log_reason", "") or exception.default_code,
        store=store_of(exception),
    )
