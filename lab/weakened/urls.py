"""Where is a weak variant? Under `/lab/weakened/<key>/`, over the views that everyone has."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern

from accounts.contract.parsers import JSONParser
from accounts.contract.urls import contract_urls
from lab.weakened.row import Weakened

View = Callable[..., HttpResponseBase]


class AnyBodyParser(JSONParser):
    """Reads JSON, whatever the sender calls it: a form of another site can be JSON as well."""

    media_type = "*/*"


def weakened_urls(row: Weakened, **options: Any) -> list[URLPattern]:
    """The contract, mounted for a weak variant, without what its row says is missing."""
    if row.takes_any_body:
        options["parser_classes"] = [AnyBodyParser]
    patterns = contract_urls(row.flow, **options)
    if not row.checks_csrf:
        for pattern in patterns:
            pattern.callback = without_csrf_check(pattern.callback)
    return patterns


def without_csrf_check(view: View) -> View:
    """The view as it is where somebody "fixed" a 403 by an exemption."""

    @wraps(view)
    def unchecked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
        return view(request, *args, **kwargs)

    return unchecked
