"""What does each call of the contract do? Written once; `flow` is all that differs."""

from typing import Any, NoReturn

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as PasswordError
from django.db import transaction
from django.middleware.csrf import get_token
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.vary import vary_on_headers
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.permissions import SAFE_METHODS, AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import lifecycle
from accounts.contract.csrf import enforce_csrf
from accounts.contract.errors import BadLogin, InsufficientScope
from accounts.contract.flow import Credential, Flow, Presented
from accounts.contract.permissions import HasScope
from accounts.contract.serializers import (
    CredentialAnswerSerializer,
    CredentialSerializer,
    CsrfSerializer,
    DeviceSerializer,
    LoginAnswerSerializer,
    LoginSerializer,
    NameSerializer,
    PasswordSerializer,
    ProfileSerializer,
    WhoamiSerializer,
)
from accounts.known_devices import remember_device
from accounts.models import User

DEVICE = "^[-a-zA-Z0-9_]+$"  # Django's `slug`, in contract/urls.py


# Surprise: DRF's exception handler rolls back every ATOMIC_REQUESTS transaction, so a revocation
# followed by its 401 would undo itself. Each use case draws its own transaction instead.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
@method_decorator(never_cache, name="dispatch")
@method_decorator(vary_on_headers("Cookie", "Authorization"), name="dispatch")
class ContractView(APIView):
    """A call of the contract; answers for the flow that it is mounted with."""

    flow: Flow = None  # type: ignore[assignment]  # given to as_view

    # For the schema: what else a call may answer, and where its credential is.
    refusals: tuple[str, ...] = ("401", "503")
    by_cookie = False
    credential_is_optional = False
    sets_cookie = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method not in SAFE_METHODS:
            # Threat: any site can send a form, or text/plain, without asking first (CORS). DRF
            # looks at the type of a body only where a call reads it, and logout reads none.
            _ = request.data

    def perform_authentication(self, request: Request) -> None:
        is_page = request.accepted_renderer.format == "api"
        if request.method not in self.allowed_methods and not is_page:
            # Before anything is asked: nobody needs a credential to be told what a call is not for.
            # The browsable page asks all the same, to offer what this user may send here.
            self.http_method_not_allowed(request)
        self.prove_authority(request)

    def prove_authority(self, request: Request) -> None:
        """Ask for whatever gives this call its authority."""
        super().perform_authentication(request)

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [self.flow.authentication()]

    def get_permissions(self) -> list[Any]:
        named = super().get_permissions()
        # Threat: a view whose author did not think of limited credentials would be open to each.
        closed = [] if any(isinstance(each, HasScope) for each in named) else [HasScope()]
        return [*named, *closed]

    def permission_denied(
        self, request: Request, message: str | None = None, code: str | None = None
    ) -> NoReturn:
        if getattr(request.auth, "scope", None) is not None:
            scopes = [each for each in self.get_permissions() if isinstance(each, HasScope)]
            raise InsufficientScope(scopes[0].needed(request.method))
        super().permission_denied(request, message, code)

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, InsufficientScope):
            needed = f', scope="{exc.needed}"' if exc.needed else ""
            challenge = f'{self.flow.scheme} realm="authdemo", error="insufficient_scope"{needed}'
            exc.auth_header = challenge  # type: ignore[attr-defined]
        elif isinstance(exc, APIException) and exc.status_code == status.HTTP_401_UNAUTHORIZED:
            # RFC 6750, section 3: a request without a credential is told the scheme only.
            code = getattr(exc, "default_code", "")
            error = ', error="invalid_token"' if code.startswith("credential_") else ""
            exc.auth_header = f'{self.flow.scheme} realm="authdemo"{error}'  # type: ignore[attr-defined]
        return super().handle_exception(exc)

    def presented(self) -> Presented:
        """What the credential of this request says."""
        presented = self.request.auth
        assert isinstance(presented, Presented)
        return presented

    def current_user(self) -> User:
        """The user's row as it is now, or `CredentialRevoked`."""
        return lifecycle.current_user(self.presented())

    def answer(self, credential: Credential, **more: Any) -> Response:
        """200 with the credential in the body and its secret in the cookie."""
        response = Response({**more, "credential": CredentialSerializer(credential).data})
        self.flow.deliver(response, credential)
        return response


class CookieAuthorityView(ContractView):
    """A call whose authority is a cookie, or that sets one: always CSRF-checked.

    It reads no other credential: a bad or foreign one that comes along is ignored.
    """

    permission_classes = [AllowAny]
    by_cookie = True
    credential_is_optional = True
    sets_cookie = True

    def get_authenticators(self) -> list[BaseAuthentication]:
        return []

    def prove_authority(self, request: Request) -> None:
        enforce_csrf(request._request)


class LoginView(CookieAuthorityView):
    """Log in with a username and a password.

    The answer carries your profile and your credential. What must stay secret goes
    into an HttpOnly cookie.
    """

    refusals = ("401", "429", "503")

    @extend_schema(request=LoginSerializer, responses=LoginAnswerSerializer)
    def post(self, request: Request) -> Response:
        values = LoginSerializer(data=request.data)
        values.is_valid(raise_exception=True)
        user = lifecycle.prove_password(
            request._request, flow=self.flow.key, **values.validated_data
        )
        if user is None:
            raise BadLogin
        credential = lifecycle.log_in(request._request, self.flow, user)
        response = self.answer(credential, user=ProfileSerializer(user).data)
        remember_device(response, user.username)
        return response


class RefreshView(CookieAuthorityView):
    """Exchange the cookie's secret for a fresh one, and get a new credential.

    Idle time starts again; the absolute end of your login stays where it is.
    """

    credential_is_optional = False

    @extend_schema(request=None, responses=CredentialAnswerSerializer)
    def post(self, request: Request) -> Response:
        return self.answer(lifecycle.renew(request._request, self.flow))


class WhoamiView(ContractView):
    """Who am I, from the credential alone? No SQL is run to answer this."""

    @extend_schema(responses=WhoamiSerializer)
    def get(self, request: Request) -> Response:
        presented = self.presented()
        # By hand: the serializer, which says to `/api/schema/` what this is, copies its fields for
        # each answer, and takes longer for that than it takes to check a credential.
        known = {"id": presented.user_id, "roles": presented.roles, "device": presented.device}
        return Response(known)


class MeView(ContractView):
    """Your full profile, from the database. `PATCH` changes your display name."""

    permission_classes = [IsAuthenticated, HasScope(GET="profile:read")]

    @extend_schema(responses=ProfileSerializer)
    def get(self, request: Request) -> Response:
        return Response(ProfileSerializer(self.current_user()).data)

    @extend_schema(request=NameSerializer, responses=ProfileSerializer)
    def patch(self, request: Request) -> Response:
        user = self.current_user()
        values = NameSerializer(data=request.data)
        values.is_valid(raise_exception=True)
        lifecycle.rename(user, values.validated_data["display_name"])
        return Response(ProfileSerializer(user).data)


class DevicesView(ContractView):
    """Every place where you are logged in, in both flows."""

    permission_classes = [IsAuthenticated, HasScope(GET="devices:read")]

    @extend_schema(responses=DeviceSerializer(many=True))
    def get(self, request: Request) -> Response:
        found = lifecycle.devices(self.current_user())
        context = {"current": self.presented().device}
        return Response(DeviceSerializer(found, many=True, context=context).data)


class DeviceView(ContractView):
    """One of the places where you are logged in. `DELETE` ends it."""

    @extend_schema(
        request=None,
        responses={204: None},
        parameters=[OpenApiParameter("device", str, OpenApiParameter.PATH, pattern=DEVICE)],
    )
    def delete(self, request: Request, device: str) -> Response:
        user = self.current_user()
        if not lifecycle.end_device(request._request, user, device):
            raise NotFound
        return Response(status=status.HTTP_204_NO_CONTENT)


class PasswordView(ContractView):
    """Change your password. This device goes on; every other one ends, in both flows."""

    refusals = ("401", "429", "503")
    sets_cookie = True

    @extend_schema(request=PasswordSerializer, responses=CredentialAnswerSerializer)
    def post(self, request: Request) -> Response:
        values = PasswordSerializer(data=request.data)
        values.is_valid(raise_exception=True)
        user = self.current_user()
        current = values.validated_data["current_password"]
        new = values.validated_data["new_password"]
        proven = lifecycle.prove_password(
            request._request, username=user.username, password=current, flow=self.flow.key
        )
        if proven is None:
            self.current_user()  # no password of a user who has gone is right
            raise ValidationError({"current_password": ["This is not your current password."]})
        try:
            validate_password(new, user)
        except PasswordError as error:
            raise ValidationError({"new_password": error.messages}) from error
        return self.answer(lifecycle.change_password(request._request, self.flow, user, new))


class LogoutView(CookieAuthorityView):
    """End this login. Answers 204 also when it was over already."""

    refusals = ("503",)

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        lifecycle.log_out(request._request, self.flow)
        response = Response(status=status.HTTP_204_NO_CONTENT)
        self.flow.discard(response)
        return response


class LogoutAllView(ContractView):
    """End every login that you have, in both flows, this one included."""

    sets_cookie = True

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        lifecycle.log_out_everywhere(request._request, self.flow, self.current_user())
        response = Response(status=status.HTTP_204_NO_CONTENT)
        self.flow.discard(response)
        return response


@method_decorator(never_cache, name="dispatch")
class CsrfView(APIView):
    """The CSRF token for the `X-CSRFToken` header of every unsafe request."""

    permission_classes = [AllowAny]

    @extend_schema(responses=CsrfSerializer)
    def get(self, request: Request) -> Response:
        return Response({"csrf_token": get_token(request._request)})
