"""Where is the lab? Only where `LAB=1`."""

from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import include, path
from rest_framework.renderers import JSONRenderer

from accounts.contract.registry import flows
from accounts.contract.urls import contract_urls
from lab.audit.page import AuditPage, AuditState
from lab.client import ClientPage
from lab.decide.page import DecidePage
from lab.mailbox import MailboxPage
from lab.receipts.code import CodePage
from lab.side.calls import OutageCall, RevokeCall, TimesCall, WorkerCall
from lab.side.page import SidePage
from lab.strategies import STRATEGIES
from lab.views import EndedLoginView, RememberedView
from lab.weakened import WEAKENED
from lab.weakened.urls import weakened_urls

app_name = "lab"


def remembered(request: HttpRequest, key: str) -> HttpResponseBase:
    """The flow, or the strategy, of that key answers."""
    for flow in (*flows(), *(row.flow for row in STRATEGIES)):
        if flow.key == key:
            return RememberedView.as_view(flow=flow)(request)
    raise Http404


def ended_login(request: HttpRequest, key: str) -> HttpResponseBase:
    for row in STRATEGIES:
        if row.key == key and row.looking_back is not None:
            view = EndedLoginView.as_view(flow=row.flow, looking_back=row.looking_back)
            return view(request)
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
    *(
        path(f"weakened/{row.key}/", include((weakened_urls(row, **LIKE_A_MACHINE), row.key)))
        for row in WEAKENED
    ),
    path("remembered/<slug:key>/", remembered, name="remembered"),
    path("remembered/<slug:key>/ended/", ended_login, name="ended-login"),
    path("token/", include("lab.token.urls")),
    path("audit/", AuditPage.as_view(), name="audit"),
    path("audit/state/", AuditState.as_view(), name="audit-state"),
    path("decide/", DecidePage.as_view(), name="decide"),
    path("attacks/", include("lab.attacks.urls")),
    path("client/<slug:key>/", ClientPage.as_view(), name="client"),
    path("mailbox/", MailboxPage.as_view(), name="mailbox"),
    path("code/", CodePage.as_view(), name="code"),
]
