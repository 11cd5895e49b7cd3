"""Did this browser's own page ask for it? The CSRF check of both flows, answered as JSON.

DRF exempts its views from Django's middleware, and its `SessionAuthentication`
checks only requests that are already logged in: login CSRF would pass. Here every
unsafe call whose authority is a cookie is checked, login included (OWASP, CSRF).
"""

from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from accounts.contract.errors import CsrfFailed


class _Check(CsrfViewMiddleware):
    """Django's own check, returning its reason instead of an HTML page."""

    def _reject(self, request: HttpRequest, reason: str) -> str:
        return reason


def _no_response(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def enforce_csrf(request: HttpRequest) -> None:
    """Raise `CsrfFailed` unless the request is safe or proves its origin and its token."""
    reason = _Check(_no_response).process_view(request, _no_response, (), {})
    if reason:
        raise CsrfFailed(str(reason))
