"""Where is the lab? Only where `LAB=1`."""

from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import path

from accounts.contract.registry import flows
from lab.mailbox import MailboxPage
from lab.views import RememberedView

app_name = "lab"


def remembered(request: HttpRequest, key: str) -> HttpResponseBase:
    """The flow of that key answers."""
    for flow in flows():
        if flow.key == key:
            return RememberedView.as_view(flow=flow)(request)
    raise Http404


urlpatterns = [
    path("remembered/<slug:key>/", remembered, name="remembered"),
    path("mailbox/", MailboxPage.as_view(), name="mailbox"),
]
