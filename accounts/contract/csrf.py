"""Did this browser's own page ask for it? The CSRF check of both flows, answered as JSON.

DRF exempts its views from Django's middleware, and its `SessionAuthentication`
checks only requests that are already logged in: login CSRF would pass. Here every
unsafe call whose authority is a cookie is checked, login included (OWASP, CSRF).
"""

from django.http import HttpRequest, HttpResponse, QueryDict
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.datastructures import MultiValueDict

from accounts.contract.checking import check
from accounts.contract.errors import CsrfFailed


class _Check(CsrfViewMiddleware):
    """Django's own check, returning its reason instead of an HTML page."""

    def _reject(self, request: HttpRequest, reason: str) -> str:
        return reason


def _no_response(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@check("csrf", "It is safe, or proves by its origin and a token that a page of this site made it.")
def enforce_csrf(request: HttpRequest) -> None:
    """Raise `CsrfFailed` unless the request is safe or proves its origin and its token."""
    if getattr(request, "_dont_enforce_csrf_checks", False):
        return  # Django's own test client
    if not hasattr(request, "_post"):
        # Surprise: Django looks for the token in a form first, and reads the whole body to do so;
        # here it comes in the header, and the body is DRF's to read, within its bounds.
        request._post, request._files = QueryDict(), MultiValueDict()  # type: ignore[attr-defined]
    reason = _Check(_no_response).process_view(request, _no_response, (), {})
    if reason:
        raise CsrfFailed(str(reason))
