"""What do requests and answers of the contract look like in JSON?"""

from typing import Any

from rest_framework import serializers

from accounts.contract.flow import Device
from accounts.models import User

# What `str.strip` takes for white space, written out: JSON Schema's `\s` is another set.
SPACE = r"\t-\r\x1c- \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"


class StrictCharField(serializers.CharField):
    """A string that must come as a JSON string: 17 or true is not quietly made one.

    What it takes is what `/api/schema/` says: `max_length` characters as they were sent, none
    of them a NUL, and one at least that is not trimmed away, unless it may be blank.
    """

    @property
    def pattern(self) -> str:
        """The characters, for JSON Schema; that it may be blank, drf-spectacular says beside it."""
        if self.allow_blank or not self.trim_whitespace:
            return r"^[^\x00]+$"
        return rf"^[^\x00]*[^\x00{SPACE}][^\x00]*$"

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class NewPasswordField(StrictCharField):
    """A password that Django's validators judge afterwards; see `NewPasswordFieldSchema`."""

    def __init__(self, **kwargs: Any) -> None:
        style = {"input_type": "password"}
        super().__init__(max_length=1024, trim_whitespace=False, style=style, **kwargs)


class LoginSerializer(serializers.Serializer):
    """`{"username", "password"}`. Sizes are bounded before anything is hashed."""

    username = StrictCharField(max_length=150)
    password = StrictCharField(
        max_length=1024, trim_whitespace=False, style={"input_type": "password"}
    )


class PasswordSerializer(serializers.Serializer):
    """`{"current_password", "new_password"}`."""

    current_password = StrictCharField(
        max_length=1024, trim_whitespace=False, style={"input_type": "password"}
    )
    new_password = NewPasswordField()


class NameSerializer(serializers.Serializer):
    """`{"display_name"}`: the one thing about themselves that a user can change here."""

    display_name = StrictCharField(max_length=80, allow_blank=True)


class ProfileSerializer(serializers.ModelSerializer):
    """The full profile, from the database."""

    # An `EmailField` would promise an address, and not everybody has given one.
    email = serializers.CharField(read_only=True)
    roles = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = User
        fields = ["id", "username", "display_name", "email", "roles", "date_joined", "last_login"]
        read_only_fields = fields


class CredentialSerializer(serializers.Serializer):
    """`credential`: the scheme, the access token if the scheme has one, and the seconds it lasts.

    The long-lived secret is not among the fields: it travels in an HttpOnly cookie.
    """

    scheme = serializers.ChoiceField(choices=["Session", "Bearer"])
    token = serializers.CharField(allow_null=True)
    expires_in = serializers.IntegerField(help_text="seconds")


class LoginAnswerSerializer(serializers.Serializer):
    """`{"user", "credential"}`."""

    user = ProfileSerializer()
    credential = CredentialSerializer()


class CredentialAnswerSerializer(serializers.Serializer):
    """`{"credential"}`."""

    credential = CredentialSerializer()


class WhoamiSerializer(serializers.Serializer):
    """`{"id", "roles", "device"}`: what the credential alone can tell."""

    id = serializers.IntegerField()
    roles = serializers.ListField(child=serializers.CharField())
    device = serializers.CharField()


class DeviceSerializer(serializers.Serializer):
    """One login of the user, of either flow."""

    id = serializers.CharField()
    flow = serializers.CharField()
    created = serializers.DateTimeField()
    last_seen = serializers.DateTimeField()
    expires = serializers.DateTimeField()
    ip = serializers.CharField()
    user_agent = serializers.CharField()
    current = serializers.SerializerMethodField()
    ends_within = serializers.IntegerField(
        help_text="seconds for which a request may still succeed after the device is ended"
    )
    name = serializers.CharField(help_text="of an outside program; empty for a login")
    scope = serializers.CharField(help_text="what such a program may do; empty for a login")

    def get_current(self, device: Device) -> bool:
        return device.id == self.context["current"]


class CsrfSerializer(serializers.Serializer):
    """`{"csrf_token"}`, for the `X-CSRFToken` header of unsafe requests."""

    csrf_token = serializers.CharField()


class ErrorSerializer(serializers.Serializer):
    """Every refusal. `errors` is there only for `invalid` values."""

    detail = serializers.CharField()
    code = serializers.CharField()
    errors = serializers.DictField(required=False)  # type: ignore[assignment]
