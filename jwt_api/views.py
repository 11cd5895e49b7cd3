"""How do others verify our tokens? With the public keys that stand here."""

from django.http import HttpRequest, JsonResponse
from django.views import View

from jwt_api.keys import JWKS_MAX_AGE_SECONDS, ring


class JwksView(View):
    """`/.well-known/jwks.json` (RFC 7517): public, cacheable, no cookie needed or set."""

    def get(self, request: HttpRequest) -> JsonResponse:
        response = JsonResponse(ring().jwks(), content_type="application/jwk-set+json")
        response["Cache-Control"] = f"public, max-age={JWKS_MAX_AGE_SECONDS}"
        return response
