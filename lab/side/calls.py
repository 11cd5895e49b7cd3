"""What can the page `/lab/` ask of the server? Its own calls, beside those of the contract."""

from __future__ import annotations

import os
from typing import Any

from django.db import transaction
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import SAFE_METHODS, AllowAny
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from accounts.client import Refused
from accounts.contract.csrf import enforce_csrf
from lab.side import meter, outages, times, workers
from lab.side.ways import WAYS, NotOffered
from lab.simulated import Simulated
from lab.strategies import STRATEGIES


# What a measurement writes must be seen by other workers while it is under way.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(never_cache, name="dispatch")
class LabCall(APIView):
    """A call of the lab. Nobody has to be logged in: the lab never answers beyond this machine."""

    authentication_classes = []
    permission_classes = [AllowAny]
    renderer_classes = [JSONRenderer]
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method not in SAFE_METHODS:
            # Threat: any page that is open in this browser could stop Redis here.
            enforce_csrf(request._request)

    def asked(self) -> dict[str, Any]:
        """The body's fields; none, if it is of another shape."""
        return self.request.data if isinstance(self.request.data, dict) else {}


class WorkerCall(LabCall):
    """Which process answers on this connection?"""

    def get(self, request: Request) -> Response:
        return Response({"pid": os.getpid()})


class RevokeCall(LabCall):
    """End a login that is made for it, and time when each worker knows."""

    def post(self, request: Request) -> Response:
        strategy = {row.key: row for row in STRATEGIES}.get(str(self.asked().get("strategy")))
        how = str(self.asked().get("how"))
        if strategy is None or how not in WAYS:
            raise ValidationError({"how": "Name a strategy and a way to end its login."})
        path = reverse("lab:side-worker")
        address = workers.address_of(request._request)
        try:
            return Response(meter.measure(strategy, how, address=address, worker_path=path))
        except NotOffered as reason:
            return Response({"not_offered": str(reason)})
        except meter.UnderWay:
            answer = {"detail": "Another measurement is under way.", "code": "throttled"}
            return Response(answer, status=429, headers={"Retry-After": "3"})
        except Simulated as reason:
            return Response({"detail": str(reason), "code": "invalid"}, status=409)
        except workers.Unreachable as reason:
            return Response({"detail": str(reason), "code": "invalid"}, status=502)
        except Refused as refusal:
            answer = {"detail": refusal.detail, "code": refusal.code}
            return Response(answer, status=refusal.status)


class OutageCall(LabCall):
    """Take a store away for some seconds (POST), look (GET), or bring it back now (DELETE)."""

    def get(self, request: Request) -> Response:
        return Response({"outage": outages.current()})

    def post(self, request: Request) -> Response:
        kind, seconds = str(self.asked().get("kind")), self.asked().get("seconds")
        if kind not in outages.kinds() or seconds not in outages.LENGTHS:
            raise ValidationError({"kind": "Name a store of this site, and one of the lengths."})
        try:
            outages.begin(kind, seconds)
        except outages.Refused as reason:
            return Response({"detail": str(reason), "code": "invalid"}, status=409)
        return self.get(request)

    def delete(self, request: Request) -> Response:
        outages.end()
        return self.get(request)


class TimesCall(LabCall):
    """Which times do new credentials get? POST `{"on": true}` makes them short, for a lesson."""

    def get(self, request: Request) -> Response:
        return Response(times.in_force())

    def post(self, request: Request) -> Response:
        on = self.asked().get("on")
        if not isinstance(on, bool):
            raise ValidationError({"on": "Say true or false."})
        times.switch(on=on)
        return self.get(request)
