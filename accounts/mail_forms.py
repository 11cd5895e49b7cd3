"""What is asked for on the pages around mail? An address, a new password, a name."""

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from accounts.by_mail import normal
from accounts.models import User


class AddressField(forms.EmailField):
    """An e-mail address, in lower case.

    Threat: outside of ASCII two spellings become one in lower case, and one of them is another
    mailbox (CVE-2019-19844). 150 characters, because it becomes a username.
    """

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.EmailInput(attrs={"autocomplete": "email"})
        super().__init__(label="E-mail address", max_length=150, widget=widget, **kwargs)

    def clean(self, value: Any) -> str:
        address = super().clean(value)
        if not address.isascii():
            raise ValidationError("Write the address in ASCII: its domain as xn--…")
        return normal(address)


class AddressForm(forms.Form):
    """Where to send a link to."""

    address = AddressField()


class NewPasswordForm(forms.Form):
    """A new password, judged by Django's validators for the user who will have it."""

    new_password = forms.CharField(
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_new_password(self) -> str:
        password: str = self.cleaned_data["new_password"]
        validate_password(password, self.user)
        return password


class NewAccountForm(NewPasswordForm):
    """What an account needs beside its address."""

    display_name = forms.CharField(
        max_length=80, required=False, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    field_order = ["display_name", "new_password"]
