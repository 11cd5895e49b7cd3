"""What does the jwt flow answer beside the contract? Its public keys, and tokens for programs."""

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.http import conditional_page
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import lifecycle
from accounts.contract.views import DEVICE, ContractView
from jwt_api import programs
from jwt_api.keys import ring
from jwt_api.serializers import MadeTokenSerializer, NewTokenSerializer, TokenSerializer


@method_decorator(conditional_page, name="dispatch")
class JwksView(View):
    """`/.well-known/jwks.json` (RFC 7517): public, cacheable, no cookie needed or set.

    With an ETag: whoever asks again for the same keys gets a 304.
    """

    def get(self, request: HttpRequest) -> JsonResponse:
        response = JsonResponse(ring().jwks(), content_type="application/jwk-set+json")
        response["Cache-Control"] = f"public, max-age={settings.JWKS_MAX_AGE_SECONDS}"
        return response


class TokensView(ContractView):
    """Your tokens for outside programs. `POST` makes one; only its answer ever shows the token.

    Such a token opens what its scope names, and nothing else: it can change nothing, refresh
    nothing and log nobody out.
    """

    @extend_schema(responses=TokenSerializer(many=True))
    def get(self, request: Request) -> Response:
        rows = programs.live(self.current_user().pk)
        return Response(TokenSerializer(rows, many=True).data)

    @extend_schema(request=NewTokenSerializer, responses={201: MadeTokenSerializer})
    def post(self, request: Request) -> Response:
        user = self.current_user()
        values = NewTokenSerializer(data=request.data)
        values.is_valid(raise_exception=True)
        wanted = values.validated_data
        try:
            row, text = programs.make(
                request._request,
                user,
                self.presented().device,
                name=wanted["name"],
                scope=wanted["scope"],
                seconds=wanted["expires_in"],
            )
        except programs.TooManyTokens as error:
            raise ValidationError([f"You have {programs.MOST_TOKENS}. End one first."]) from error
        made = {**TokenSerializer(row).data, "token": text}
        return Response(made, status=status.HTTP_201_CREATED)


class TokenView(ContractView):
    """One of your tokens for outside programs. `DELETE` ends it."""

    @extend_schema(
        request=None,
        responses={204: None},
        parameters=[OpenApiParameter("token", str, OpenApiParameter.PATH, pattern=DEVICE)],
    )
    def delete(self, request: Request, token: str) -> Response:
        user = self.current_user()
        if not programs.live(user.pk).filter(pk=token).exists():
            raise NotFound  # a login is ended among the devices
        if not lifecycle.end_device(request._request, user, token):
            raise NotFound
        return Response(status=status.HTTP_204_NO_CONTENT)
