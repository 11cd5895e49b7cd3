"""What does `/api/schema/` say beyond the answers of success? Refusals, headers, credentials.

All of it follows from the view's class and from its flow, so that no view repeats it.
`tests/test_schema.py` holds the whole of it against what the calls really answer.
"""

from typing import Any, Literal

from django.contrib.auth.password_validation import (
    NumericPasswordValidator,
    get_default_password_validators,
    password_validators_help_texts,
)
from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter
from rest_framework.permissions import SAFE_METHODS

from accounts.contract.serializers import ErrorSerializer, NewPasswordField, StrictCharField

Direction = Literal["request", "response"]

EVERYWHERE = ("400", "404", "405", "406")
WITH_CSRF = ("403",)
WITH_BODY = ("413", "415")
REFUSALS = {
    "400": "A value, the body, or the way in which the request is put is not right (`invalid`).",
    "401": "No credential, or one that is no longer good. The `code` says what to do next.",
    "403": "The CSRF token is missing or wrong (`csrf_failed`).",
    "404": "There is nothing here (`not_found`), or not in the `?format=` that was asked for.",
    "405": "Another method is meant.",
    "406": "The answer is JSON, which `Accept` rules out.",
    "413": "The body is larger than any call needs.",
    "415": "The body is not JSON.",
    "429": "Too many attempts (`throttled`); wait for `Retry-After` seconds.",
    "503": "A store does not answer (`store_unavailable`); keep the cookie and try again.",
}


def _header(name: str, type_: type, *statuses: int, description: str) -> OpenApiParameter:
    return OpenApiParameter(
        name,
        type_,
        OpenApiParameter.HEADER,
        required=True,
        response=list(statuses),
        description=description,
    )


HEADERS = [
    _header("WWW-Authenticate", str, 401, description="The scheme, and RFC 6750's `error`."),
    _header("Allow", str, 405, description="The methods that are meant."),
    _header("Retry-After", int, 429, 503, description="Seconds."),
]
SET_COOKIE = _header("Set-Cookie", str, 200, 204, description="The flow's HttpOnly cookie.")
CSRF = {
    "type": "apiKey",
    "in": "header",
    "name": "X-CSRFToken",
    "description": "From `GET /api/csrf/`, beside the cookie that comes with it.",
}


class ContractSchema(AutoSchema):
    """drf-spectacular's schema; it asks the views of the contract for a few facts more."""

    def get_override_parameters(self) -> list[Any]:
        more = [SET_COOKIE] if getattr(self.view, "sets_cookie", False) else []
        return [*super().get_override_parameters(), *HEADERS, *more]

    def get_auth(self) -> list[dict[str, Any]]:
        flow = getattr(self.view, "flow", None)
        if flow is None:
            return super().get_auth()
        scheme = OpenApiAuthenticationExtension.get_match(flow.authentication())
        assert scheme is not None
        assert isinstance(scheme.name, list)
        known = dict(zip(scheme.name, scheme.get_security_definition(self), strict=True))
        credential = scheme.get_security_requirement(self)
        assert isinstance(credential, dict)
        csrf: dict[str, list[Any]] = {}
        if self._is_csrf_checked([known[name] for name in credential]):
            csrf, known = {"csrf": []}, {**known, "csrf": CSRF}
        for name in {**credential, **csrf}:
            self.registry.register_on_missing(
                ResolvedComponent(
                    name=name,
                    type=ResolvedComponent.SECURITY_SCHEMA,
                    object=AutoSchema,  # whatever is the same for all views
                    schema=known[name],
                )
            )
        without = [csrf] if self.view.credential_is_optional else []  # type: ignore[attr-defined]
        return [{**credential, **csrf}, *without]

    def _is_csrf_checked(self, credentials: list[Any]) -> bool:
        """Whether the authority of an unsafe call travels by itself, in a cookie."""
        unsafe = self.method not in SAFE_METHODS
        return unsafe and any(definition.get("in") == "cookie" for definition in credentials)

    def _refusals(self) -> list[str]:
        unsafe = self.method not in SAFE_METHODS
        csrf = any("csrf" in requirement for requirement in self.get_auth())
        found = {
            *EVERYWHERE,
            *getattr(self.view, "refusals", ()),
            *(WITH_CSRF if csrf else ()),
            *(WITH_BODY if unsafe else ()),
        }
        return sorted(found)

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        for status in self._refusals():
            bodies[status] = {
                **self._get_response_for_code(ErrorSerializer, status, direction=direction),
                "description": REFUSALS[status],
            }
        return bodies


class StrictCharFieldSchema(OpenApiSerializerFieldExtension):
    """The characters that DRF refuses, in the words of JSON Schema."""

    target_class = StrictCharField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        schema = auto_schema._map_serializer_field(self.target, direction, bypass_extensions=True)
        return {**schema, "pattern": self.target.pattern}


class NewPasswordFieldSchema(StrictCharFieldSchema):
    """What Django's validators want of a password, as far as JSON Schema can say it."""

    target_class = NewPasswordField

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:
        validators = get_default_password_validators()
        found = super().map_serializer_field(auto_schema, direction)
        found["minLength"] = max((getattr(each, "min_length", 1) for each in validators), default=1)
        if any(isinstance(each, NumericPasswordValidator) for each in validators):
            found["pattern"] = r"^[^\x00]*[^\x000-9][^\x00]*$"
        return {**found, "description": " ".join(password_validators_help_texts())}
