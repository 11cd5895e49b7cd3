"""How does the page ask what a session id is worth, when no script can read its own?"""

from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from lab.token import of_sessions
from lab.token.views import LabCall, member


class SessionView(LabCall):
    """`POST {}`: the record of the visitor's own session; `length` is 0 if there is none.
    `POST {"edit": n}`: what the lookup says when the n-th character of one's own id is changed.
    `POST {"id"}`: what it says of any id.

    No answer has a session id in it: who reads over a shoulder, or records the screen, gets the
    digest, which opens nothing.
    """

    def post(self, request: Request) -> Response:
        given = member(request, "id", str)
        at = member(request, "edit", int)
        if given == "":
            raise ValidationError({"id": ["This field may not be blank."]})
        if given is not None:
            return Response(of_sessions.check(given))
        own = of_sessions.presented(request._request.COOKIES)
        if own is None:
            return Response({"length": 0})
        if at is not None:
            return Response(of_sessions.check(of_sessions.edited(own, at)))
        described = of_sessions.describe(own)
        return Response({**of_sessions.check(own), "length": len(own), "held": described})
