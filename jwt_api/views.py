"""How do others verify our tokens? With the public keys that stand here."""

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.http import conditional_page

from jwt_api.keys import ring


@method_decorator(conditional_page, name="dispatch")
class JwksView(View):
    """`/.well-known/jwks.json` (RFC 7517): public, cacheable, no cookie needed or set.

    With an ETag: whoever asks again for the same keys gets a 304.
    """

    def get(self, request: HttpRequest) -> JsonResponse:
        response = JsonResponse(ring().jwks(), content_type="application/jwk-set+json")
        response["Cache-Control"] = f"public, max-age={settings.JWKS_MAX_AGE_SECONDS}"
        return response
