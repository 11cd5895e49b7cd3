"""What is asked of every peer? The same question, by the same view; the authentication differs."""

from typing import Any

from allauth.headless.contrib.rest_framework.authentication import (
    JWTTokenAuthentication,
    XSessionTokenAuthentication,
)
from dj_rest_auth.jwt_auth import JWTCookieAuthentication
from django.contrib.auth import authenticate, login, logout
from knox.auth import TokenAuthentication
from knox.views import LoginView as StockKnoxLoginView
from rest_framework.authentication import SessionAuthentication
from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import (
    JWTAuthentication,
    JWTStatelessUserAuthentication,
)

WHOAMI: dict[str, Any] = {
    "django-sessions": SessionAuthentication,
    "simplejwt": JWTAuthentication,
    "simplejwt-stateless": JWTStatelessUserAuthentication,
    "knox": TokenAuthentication,
    "allauth-session": XSessionTokenAuthentication,
    "allauth-jwt": JWTTokenAuthentication,
    "dj-rest-auth": JWTCookieAuthentication,
}
# Ours names the device there. A peer knows none, and its answer shall not be shorter for it.
NO_DEVICE = "-" * 11


class WhoamiView(APIView):
    """Who am I? As this project's call answers it; the user is asked for all that is answered."""

    permission_classes = [IsAuthenticated]

    def get(self, request: Request) -> Response:
        user: Any = request.user
        roles = [role for role in ("staff", "superuser") if getattr(user, f"is_{role}")]
        return Response({"id": int(user.pk), "roles": roles, "device": NO_DEVICE})


class FloorView(APIView):
    """The same answer for everybody: what a request costs in which nobody is asked who they are."""

    permission_classes = [AllowAny]

    def get(self, request: Request) -> Response:
        return Response({"id": 1, "roles": [], "device": NO_DEVICE})


class SessionLoginView(APIView):
    """https://docs.djangoproject.com/en/5.2/topics/auth/default/#how-to-log-a-user-in"""

    permission_classes = [AllowAny]

    def post(self, request: Request) -> Response:
        proof: Any = request.data
        user = authenticate(request._request, **proof)
        if user is None:
            raise AuthenticationFailed
        login(request._request, user)
        return Response()


class SessionLogoutView(APIView):
    authentication_classes = [SessionAuthentication]
    permission_classes = [IsAuthenticated]

    def post(self, request: Request) -> Response:
        logout(request._request)
        return Response()


class KnoxLoginView(StockKnoxLoginView):
    """https://jazzband.github.io/django-rest-knox/auth/#global-usage-on-all-views"""

    permission_classes = [AllowAny]

    def post(self, request: Request, format: Any = None) -> Response:
        serializer = AuthTokenSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        # The request of DRF, as documented: the token is made for its user.
        login(request, serializer.validated_data["user"])
        answer: Response = super().post(request, format=None)
        return answer
