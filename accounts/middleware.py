"""What does somebody see when a store is away, or a limit is reached, outside the API's views?

DRF's exception handler answers for the contract's views. Pages, the admin and
middlewares get the same refusals here: as a page, or as JSON under `/api/`.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils.cache import add_never_cache_headers
from rest_framework.exceptions import APIException

from accounts.contract.errors import STORE_ERRORS, ContractError, StoreUnavailable, body, log


def answer_refusal(
    request: HttpRequest,
    status: int,
    answer: dict[str, Any],
    *,
    page: str = "",
    wait: int | None = None,
) -> HttpResponse:
    """Answer for what is no view of the contract: JSON under `/api/`, a page for people.

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
    return request.path.startswith("/api/")


def plain_error(request: HttpRequest, error: APIException) -> HttpResponse:
    """Answer a refusal of the contract outside of DRF; a page that needs a login asks for it."""
    log(error, {"request": request})
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
            exception = StoreUnavailable(type(exception).__name__)
        if isinstance(exception, ContractError):
            return plain_error(request, exception)
        return None
