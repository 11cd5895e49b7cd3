"""What does somebody see when a store is away, or a limit is reached, outside the API's views?

DRF's exception handler answers for the contract's views. Pages, the admin and
middlewares get the same refusals here: as a page, or as JSON under `/api/`.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils.cache import add_never_cache_headers
from rest_framework.exceptions import APIException

from accounts.contract.errors import STORE_ERRORS, ContractError, StoreUnavailable, body, log


def plain_error(request: HttpRequest, error: APIException) -> HttpResponse:
    """Answer a refusal of the contract outside of DRF: JSON for the API, a page for people."""
    log(error, {"request": request})
    if request.path.startswith("/api/"):
        response: HttpResponse = JsonResponse(body(error), status=error.status_code)
    elif error.status_code == 401:
        response = redirect(request.path)
    else:
        context = {"wait": getattr(error, "wait", None), "detail": error.detail}
        response = render(
            request, f"errors/{error.status_code}.html", context, status=error.status_code
        )
    add_never_cache_headers(response)
    if (wait := getattr(error, "wait", None)) is not None:
        response["Retry-After"] = str(wait)
    return response


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
