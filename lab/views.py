"""What does the server hold because you are logged in, or were? Shown beside each flow."""

from dataclasses import asdict

from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication
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


class EndedLoginView(ContractView):
    """What the server goes on holding of the login that a token came from, ended or not.

    A token that was revoked may ask until it is over: it says whose login it was.
    """

    looking_back: type[BaseAuthentication] = None  # type: ignore[assignment]  # given to as_view

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [self.looking_back()]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        user_id, device = self.presented().user_id, self.presented().device
        # Threat: a thief whose token was revoked would go on reading of the user's other logins.
        entries = [each for each in self.flow.remembered(user_id) if device in each.name]
        families = [each for each in self.flow.families(user_id) if each.device == device]
        return Response({"entries": map(asdict, entries), "families": map(asdict, families)})
