"""The site, with calls more under each flow: for a role, for a scope, and with none named."""

from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.contract.permissions import HasRole, HasScope
from accounts.contract.registry import flows
from accounts.contract.views import ContractView
from authdemo import urls


class ProbeView(ContractView):
    def get(self, request: Request) -> Response:
        return Response({"reached": True})

    post = get


class StaffView(ProbeView):
    permission_classes = [IsAuthenticated, HasRole("staff")]


class StaffOrAdminView(ProbeView):
    permission_classes = [HasRole("staff") | HasRole("admin")]


class ScopedView(ProbeView):
    permission_classes = [IsAuthenticated, HasScope(GET="profile:read")]


PROBES = {
    "staff": StaffView,
    "staff-or-admin": StaffOrAdminView,
    "scoped": ScopedView,
    "forgotten": ProbeView,
}

urlpatterns = [
    path(f"api/{flow.key}/probe/{name}/", view.as_view(flow=flow))
    for flow in flows()
    for name, view in PROBES.items()
] + urls.urlpatterns
