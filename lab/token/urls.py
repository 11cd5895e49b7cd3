"""Where is the token inspector? Its page, and one call for each flow that the project has."""

from typing import Any

from django.apps import apps
from django.urls import URLPattern, path

from lab.token.views import TokenPage


def parts() -> tuple[list[URLPattern], dict[str, Any]]:
    """The calls of the flows that are installed, and what the page has to know of them."""
    calls: list[URLPattern] = []
    known: dict[str, Any] = {}
    if apps.is_installed("jwt_api"):
        from lab.token.token_call import KNOWN, VerifyView

        calls.append(path("verify/", VerifyView.as_view(), name="token_verify"))
        known |= KNOWN
    if apps.is_installed("sessions_api"):
        from lab.token.session_call import SessionView

        calls.append(path("session/", SessionView.as_view(), name="token_session"))
    return calls, known


CALLS, KNOWN = parts()
urlpatterns = [path("", TokenPage.as_view(extra=KNOWN), name="token"), *CALLS]
