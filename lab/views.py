"""What does the server hold because you are logged in? Shown beside each flow."""

from dataclasses import asdict

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.contract.views import ContractView


class RememberedView(ContractView):
    """Everything that the server keeps for your logins in this flow. No secret is among it."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        user_id = self.presented().user_id
        entries, families = self.flow.remembered(user_id), self.flow.families(user_id)
        return Response({"entries": map(asdict, entries), "families": map(asdict, families)})
