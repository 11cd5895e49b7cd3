"""What did the last audit of this deployment see? The page shows it, and runs it anew."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView

from lab.audit import points, running
from lab.audit.point import Result, Status
from lab.audit.report import last

SIGNS = {Status.PASS: "✓", Status.FAIL: "✗", Status.PARTLY: "◐", Status.UNSEEN: "○"}


@method_decorator(never_cache, name="dispatch")
class AuditPage(TemplateView):
    """`GET` changes nothing; `POST` begins an audit, one at a time."""

    template_name = "lab/audit/audit.html"

    def post(self, request: HttpRequest) -> HttpResponse:
        if not running.start():
            messages.info(request, "An audit runs already; its report comes to this page.")
        return redirect("lab:audit")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        report = last()
        deeper = {point.key: point.deeper for point in points()}
        shown = [
            {"result": result, "deeper": deeper.get(result.key, ()), "sign": SIGNS[result.status]}
            for result in (report.results if report else ())
        ]
        return super().get_context_data(
            report=report,
            made=datetime.fromisoformat(report.made) if report else None,
            by_flow=[(key, list(found)) for key, found in groupby(shown, key=flow_of)],
            state=running.state(),
            **kwargs,
        )


class AuditState(View):
    """`{"is_running": bool, "error": ""}`: what the page asks while it waits."""

    def get(self, request: HttpRequest) -> HttpResponse:
        return JsonResponse(running.state(), headers={"Cache-Control": "no-store"})


def flow_of(shown: dict[str, Any]) -> str:
    result: Result = shown["result"]
    return result.flow
