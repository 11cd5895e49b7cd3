"""Is this token still good? We know what a service that verifies on its own cannot (RFC 7662).

    POST /api/jwt/introspect/   Authorization: Basic <id:secret>   token=eyJ…
    200 {"active": true, "sub": "7", "client_id": …, "scope": …, "aud": …, "exp": …}
    200 {"active": false}

The asking service is a client of its own, named in INTROSPECTION_CLIENTS; nobody else learns
anything. Not throttled: a limit that strangers can use up would shut out the service.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.utils.crypto import constant_time_compare
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from accounts import security_log
from accounts.contract.errors import CredentialExpired, CredentialInvalid
from jwt_api import programs, store
from jwt_api.authentication import read_access_token
from jwt_api.tokens import AccessToken, ProgramAccessToken

# RFC 7662, section 2.2. `jti` and `sid` stay here: whoever asks has no use for them.
TOLD = ("scope", "client_id", "exp", "iat", "sub", "aud", "iss")
INACTIVE = {"active": False}


# No cookie opens it, so that no other site can have a browser ask.
@method_decorator([csrf_exempt, never_cache], name="dispatch")
class IntrospectionView(View):
    """`/api/jwt/introspect/`, in the form of RFC 7662 and the errors of RFC 6749, section 5.2."""

    def post(self, request: HttpRequest) -> JsonResponse:
        if not is_client(request.headers.get("Authorization", "")):
            return refused(request, 401, "invalid_client")
        tokens = request.POST.getlist("token")
        if len(tokens) != 1:
            return refused(request, 400, "invalid_request")
        return JsonResponse(introspect(tokens[0]))

    def http_method_not_allowed(
        self, request: HttpRequest, *args: Any, **kwargs: Any
    ) -> JsonResponse:
        response = refused(request, 405, "invalid_request")
        response["Allow"] = "POST"
        return response


def is_client(header: str) -> bool:
    """Whether the header proves one of INTROSPECTION_CLIENTS, by its `id:secret` (RFC 7617)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        shown = b64decode(encoded, validate=True).decode()
    except ValueError:
        return False
    # Threat: a comparison that ends early tells how much of a secret is right, and of whose.
    found = [constant_time_compare(shown, known) for known in settings.INTROSPECTION_CLIENTS]
    return any(found)


def introspect(text: str) -> dict[str, Any]:
    """What is true of an access token now. Of anything else, nothing is said, nor why."""
    try:
        token = read_access_token(text.encode())
    except (CredentialExpired, CredentialInvalid):
        return INACTIVE
    if not is_live(token):
        return INACTIVE
    told = {name: token[name] for name in TOLD if name in token.payload}
    return {"active": True, "token_type": "Bearer", **told}


def is_live(token: AccessToken) -> bool:
    """Whether the login or the program that the token was made for is still one: a look-up."""
    if isinstance(token, ProgramAccessToken):
        return programs.row_of(token) is not None
    return store.is_live(token.user_id, token.device, token["epoch"])


def refused(request: HttpRequest, status: int, error: str) -> JsonResponse:
    """One error of OAuth, and one line of the log."""
    security_log.refusal(request, status=status, code=error, cause="introspection")
    response = JsonResponse({"error": error}, status=status)
    if status == 401:
        response["WWW-Authenticate"] = 'Basic realm="authdemo introspection"'
    return response
