"""What does somebody see when a store is away, or a limit is reached, outside the API's views?

DRF's exception handler answers for the contract's views. Pages, the admin and
middlewares get the same refusals here: as a page, or as JSON under `API_PATHS`. And
every request gets the id here that its log lines and its answer share.
"""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils.cache import add_never_cache_headers
from rest_framework.exceptions import APIException

from accounts.contract.errors import (
    STORE_ERRORS,
    ContractError,
    body,
    keep_csrf_cookie,
    log,
    store_unavailable,
)

REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}", re.ASCII)


def answer_refusal(
    request: HttpRequest,
    status: int,
    answer: dict[str, Any],
    *,
    page: str = "",
    wait: int | None = None,
) -> HttpResponse:
    """Answer for what is no view of the contract: JSON for calls of the API, a page for people.

    The page is `errors/<status>.html`, unless `page` names another; `wait` counts seconds.
    """
    response: HttpResponse
    if is_api(request):
        response = JsonResponse(answer, status=status)
    else:
        context = {**answer, "wait": wait}
        response = render(request, f"errors/{page or status}.html", context, status=status)
    # Surprise: a 404 without instructions may be cached, and served to the next user.
    add_never_cache_headers(response)
    if wait is not None:
        response["Retry-After"] = str(wait)
    return response


def is_api(request: HttpRequest) -> bool:
    """Is this a call of the API? Its refusals are JSON, whoever makes them."""
    return request.path.startswith(settings.API_PATHS)


def plain_error(request: HttpRequest, error: APIException) -> HttpResponse:
    """Answer a refusal of the contract outside of DRF; a page that needs a login asks for it."""
    log(request, error)
    if error.status_code >= 500:
        keep_csrf_cookie(request)
    if error.status_code == 401 and not is_api(request):
        response = redirect(request.path)
        add_never_cache_headers(response)
        return response
    return answer_refusal(
        request, error.status_code, body(error), wait=getattr(error, "wait", None)
    )


class PlainErrorMiddleware:
    """Turns a refusal that a page raised into its answer; all other errors are Django's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, STORE_ERRORS):
            exception = store_unavailable(exception)
        if isinstance(exception, ContractError):
            return plain_error(request, exception)
        return None


class RequestIdMiddleware:
    """Names each request: in every log line of it, and in the answer's `X-Request-ID`.

    Not django-structlog, which would log whole URLs and raw user agents, believe any
    client's id, ask a store for the user of every request, and bring a second opinion
    on `X-Forwarded-For`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        request_id = given_request_id(request) or uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
        response["X-Request-ID"] = request_id
        return response


def given_request_id(request: HttpRequest) -> str:
    """The id that a proxy of ours gave the request, or nothing.

    Threat: a client that chooses its own id hides among the lines of another one's. No dot
    and no underscore: a token does not pass for an id.
    """
    given = request.META.get("HTTP_X_REQUEST_ID", "")
    return given if settings.TRUSTED_PROXIES and REQUEST_ID.fullmatch(given) else ""
