"""What do the calls about tokens for programs look like in JSON?"""

from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.contract.serializers import StrictCharField
from jwt_api.models import ProgramToken
from jwt_api.programs import SCOPES

_ANY = "|".join(SCOPES)
SCOPE = f"({_ANY})( ({_ANY}))*"
LEAST_SECONDS, MOST_SCOPE = 60, 200


def most_seconds() -> int:
    """How long a token may live, as the setting says now."""
    return settings.PROGRAM_TOKEN_SECONDS


@extend_schema_field({"type": "string", "pattern": f"^{SCOPE}$", "maxLength": MOST_SCOPE})
class ScopeField(serializers.RegexField):
    """Scopes that there are, separated by one space each (RFC 6749, section 3.3)."""

    default_error_messages = {"invalid": f"Name one or more of: {', '.join(SCOPES)}."}

    def __init__(self, **kwargs: Any) -> None:
        # Surprise: Python's $ matches before a line feed at the end as well, \Z does not.
        super().__init__(rf"^{SCOPE}\Z", max_length=MOST_SCOPE, trim_whitespace=False, **kwargs)


class SecondsField(serializers.IntegerField):
    """A whole number that comes as a JSON number."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) not in (int, float):
            self.fail("invalid")
        return super().to_internal_value(data)


class NewTokenSerializer(serializers.Serializer):
    """`{"name", "scope", "expires_in"}`."""

    name = StrictCharField(max_length=80)
    scope = ScopeField()
    expires_in = SecondsField(
        validators=[MinValueValidator(LEAST_SECONDS), MaxValueValidator(most_seconds)],
        help_text="seconds",
    )


class TokenSerializer(serializers.ModelSerializer):
    """One token of the user: everything but the token itself."""

    last_used = serializers.DateTimeField(read_only=True, allow_null=True)

    class Meta:
        model = ProgramToken
        fields = ["id", "name", "scope", "created", "expires", "last_used"]
        read_only_fields = fields


class MadeTokenSerializer(TokenSerializer):
    """The answer to its making, and the only one with its text: `token`."""

    token = serializers.CharField(read_only=True)

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "token"]
        read_only_fields = fields
