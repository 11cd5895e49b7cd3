"""What does `/api/schema/` say of refusals? The same for every call: one error form."""

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema

from accounts.contract.serializers import ErrorSerializer

Direction = Literal["request", "response"]

REFUSALS = {
    "400": "A value is not right (`invalid`).",
    "401": "No credential, or one that is no longer good. The `code` says what to do next.",
    "403": "The CSRF token is missing (`csrf_failed`), or this is not for you.",
    "404": "There is nothing here (`not_found`).",
    "405": "Another method is meant.",
    "415": "The body is not JSON.",
    "429": "Too many attempts (`throttled`); wait for `Retry-After` seconds.",
    "503": "A store does not answer (`store_unavailable`); keep the cookie and try again.",
}


class ContractSchema(AutoSchema):
    """drf-spectacular's schema, with the refusals that every call of the contract may give."""

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        for status, description in REFUSALS.items():
            if status not in bodies:
                bodies[status] = {
                    **self._get_response_for_code(ErrorSerializer, status, direction=direction),
                    "description": description,
                }
        return bodies
