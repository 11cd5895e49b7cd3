"""Where is the lab? Only where `LAB=1`."""

from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import include, path
from rest_framework.renderers import JSONRenderer

from accounts.contract.registry import flows
from accounts.contract.urls import contract_urls
from lab.mailbox import MailboxPage
from lab.side.calls import OutageCall, RevokeCall, TimesCall, WorkerCall
from lab.side.page import SidePage
from lab.strategies import STRATEGIES
from lab.views import RememberedView

app_name = "lab"


def remembered(request: HttpRequest, key: str) -> HttpResponseBase:
    """The flow, or the strategy, of that key answers."""
    for flow in (*flows(), *(row.flow for row in STRATEGIES)):
        if flow.key == key:
            return RememberedView.as_view(flow=flow)(request)
    raise Http404


# JSON alone, and not in the schema: a contract that is described twice is described once too often.
LIKE_A_MACHINE = {"renderer_classes": [JSONRenderer], "schema": None}

urlpatterns = [
    path("", SidePage.as_view(), name="side"),
    path("side/worker/", WorkerCall.as_view(), name="side-worker"),
    path("side/outage/", OutageCall.as_view(), name="side-outage"),
    path("side/times/", TimesCall.as_view(), name="side-times"),
    path("side/revoke/", RevokeCall.as_view(), name="side-revoke"),
    *(
        path(
            f"strategies/{row.key}/", include((contract_urls(row.flow, **LIKE_A_MACHINE), row.key))
        )
        for row in STRATEGIES
    ),
    path("remembered/<slug:key>/", remembered, name="remembered"),
    path("mailbox/", MailboxPage.as_view(), name="mailbox"),
]
