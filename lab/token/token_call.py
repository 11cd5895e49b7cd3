"""How does the page ask what the server thinks of a token?"""

from dataclasses import asdict

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from lab.token.of_tokens import HEADER, MOST_PAYLOAD_BYTES, PAYLOAD, verify
from lab.token.views import LabCall, member

KNOWN = {
    "claims": {
        "header": {name: asdict(claim) for name, claim in HEADER.items()},
        "payload": {name: asdict(claim) for name, claim in PAYLOAD.items()},
    },
    "most_payload_bytes": MOST_PAYLOAD_BYTES,
}


class VerifyView(LabCall):
    """`POST {"token"}`: every check in order, and which one refused. Nothing is kept or logged."""

    def post(self, request: Request) -> Response:
        text = member(request, "token", str)
        if text is None:
            raise ValidationError({"token": ["This field is required."]})
        return Response(verify(text))
