"""How does a person use the API by hand? On pages that belong to the flow whose call they show.

DRF's own pages assume one login for all of the API, carry inline scripts, and cannot
send a bearer token. Ours are plain: the answer, and one JSON form for each method.
A script (`accounts/static/accounts/visit.js`) sends the forms with the credential of
the view's own flow, so that no flow ever opens the other's door.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.urls import NoReverseMatch, reverse
from rest_framework import renderers, serializers, status
from rest_framework.request import Request, override_method

if TYPE_CHECKING:
    # Surprise: DRF's views import this module while they are being imported themselves.
    from rest_framework.views import APIView

CALLS = ("login", "whoami", "me", "devices", "refresh", "password", "logout", "logout-all")
FORM_METHODS = ("POST", "PATCH", "PUT", "DELETE")


class BrowsableAPIRenderer(renderers.BrowsableAPIRenderer):
    """The page of one call, for `Accept: text/html`."""

    def get_context(
        self, data: Any, accepted_media_type: str | None, renderer_context: Mapping[str, Any]
    ) -> dict[str, Any]:
        view, request = renderer_context["view"], renderer_context["request"]
        response = renderer_context["response"]
        renderer = self.get_default_renderer(view)
        assert renderer is not None
        flow = getattr(view, "flow", None)
        refused = response.status_code == status.HTTP_401_UNAUTHORIZED
        self.accepted_media_type, self.renderer_context = accepted_media_type, renderer_context
        return {
            "flow": flow,
            "name": self.get_name(view),
            # Docstrings mark code with backticks, so that every second part of one is code.
            "description": view.get_view_description().split("`"),
            "request": request,
            "response": response,
            # The headers that a client gets who asks for JSON; this page is only a way to show it.
            "response_headers": dict(sorted(response.items()))
            | {"Content-Type": renderer.media_type},
            "content": self.get_content(renderer, data, accepted_media_type, renderer_context),
            "code": data.get("code", "") if refused and isinstance(data, dict) else "",
            "calls": calls(flow, request) if flow else [],
            "items": items(data, request),
            "forms": self.forms(view, request, data),
        }

    def forms(self, view: APIView, request: Request, data: Any) -> list[dict[str, str]]:
        """`{"method", "body"}` for each method that the asking user may send here."""
        found = []
        for method in FORM_METHODS:
            with override_method(view, request, method) as asked:
                if self.show_form_for_method(view, method, asked, None):
                    found.append({"method": method, "body": example(view, method, data)})
        return found


def calls(flow: Any, request: Request) -> list[dict[str, Any]]:
    """The other calls of the same flow: where a person may want to go next."""
    found = []
    for name in CALLS:
        try:
            url = reverse(f"{flow.key}_api:{name}")
        except NoReverseMatch:
            continue
        found.append({"name": name, "url": url, "current": url == request.path})
    return found


def items(data: Any, request: Request) -> list[dict[str, str]]:
    """The pages of the things in a list, as DRF's clients find them: the list's URL and the id."""
    if not isinstance(data, list):
        return []
    ids = [entry["id"] for entry in data if isinstance(entry, dict) and "id" in entry]
    return [{"id": str(id_), "url": f"{request.path}{id_}/"} for id_ in ids]


def example(view: APIView, method: str, data: Any) -> str:
    """A body to start from: the fields that the schema names, with the values that are known."""
    documented = getattr(getattr(view, method.lower()), "kwargs", {}).get("schema")
    if documented is None:
        return ""
    schema = documented()
    schema.view, schema.method = view, method
    serializer = schema.get_request_serializer()
    if not (isinstance(serializer, type) and issubclass(serializer, serializers.Serializer)):
        return ""
    known = data if isinstance(data, dict) else {}
    writable = [name for name, field in serializer().fields.items() if not field.read_only]
    return json.dumps({name: known.get(name, "") for name in writable}, indent=2)
