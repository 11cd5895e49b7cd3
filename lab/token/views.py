"""Where does the page get what only the server knows? From calls like these, open to the lab."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.contract.csrf import enforce_csrf
from accounts.contract.registry import flows
from lab.strategies import STRATEGIES

BEARER = "Bearer"


def targets() -> list[dict[str, str]]:
    """Whom a token can be sent to: the whoami of everything that takes a bearer token, as data."""
    registered = [(f"{flow.key}_api:whoami", flow, flow.title) for flow in flows()]
    rows = [(f"lab:{row.key}:whoami", row.flow, f"lab: {row.title}") for row in STRATEGIES]
    return [
        {"url": reverse(name), "title": title}
        for name, flow, title in (*registered, *rows)
        if flow.scheme == BEARER
    ]


@method_decorator(never_cache, name="dispatch")
class TokenPage(TemplateView):
    """The empty stage: what is pasted stays in the browser until somebody asks the server."""

    template_name = "lab/token/page.html"
    extra: dict[str, Any] = {}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        limits = {
            "account": settings.LOGIN_LIMIT_ACCOUNT,
            "seconds": settings.LOGIN_LIMIT_SECONDS,
        }
        return super().get_context_data(targets=targets(), limits=limits, **self.extra, **kwargs)


@method_decorator(never_cache, name="dispatch")
class LabCall(APIView):
    """A call of a page of the lab: JSON, for everybody, and only from our own pages.

    Threat: another site's script could have credentials tried in its visitors' name.
    """

    permission_classes = [AllowAny]
    renderer_classes = [JSONRenderer]
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        enforce_csrf(request._request)


def member(request: Request, name: str, kind: type) -> Any:
    """That member of the body, of exactly that type; None if it is not there."""
    if not isinstance(request.data, dict):
        raise ValidationError(["The body has to be an object."])
    value = request.data.get(name)
    if value is not None and type(value) is not kind:
        raise ValidationError({name: [f"This has to be of JSON's type for {kind.__name__}."]})
    return value
