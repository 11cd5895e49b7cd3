"""The site, with calls more under each flow: for a role, for a scope, and with none named."""

from typing import Any

from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.contract.permissions import HasRole, HasScope
from accounts.contract.registry import flows
from accounts.contract.views import ContractView
from authdemo import urls
from lab.strategies import STRATEGIES


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


def site_with_probes() -> tuple[Any, ...]:
    """What `ROOT_URLCONF` may be, with the site as it is now."""
    mounted = [(f"/api/{flow.key}/", flow) for flow in flows()]
    mounted += [(row.path, row.flow) for row in STRATEGIES]
    probes = [
        path(f"{where[1:]}probe/{name}/", view.as_view(flow=flow))
        for where, flow in mounted
        for name, view in PROBES.items()
    ]
    return (*probes, *urls.urlpatterns)
