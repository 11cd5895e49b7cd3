"""What does a person fill in to make a token for an outside program?"""

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings

from jwt_api.programs import SCOPES

DAYS = (1, 7, 30, 90)


def durations() -> list[tuple[int, str]]:
    """Days to choose from, as far as `PROGRAM_TOKEN_SECONDS` allows."""
    most = timedelta(seconds=settings.PROGRAM_TOKEN_SECONDS)
    allowed = [days for days in DAYS if timedelta(days=days) <= most]
    return [(days, f"{days} day{'s'[: days > 1]}") for days in allowed]


class TokenForm(forms.Form):
    """A name to know it again by, what it may do, and for how long."""

    name = forms.CharField(label="For which program", max_length=80)
    scope = forms.MultipleChoiceField(
        label="What it may do", choices=SCOPES.items(), widget=forms.CheckboxSelectMultiple
    )
    days = forms.TypedChoiceField(label="For how long", coerce=int, choices=durations)

    def wanted(self) -> dict[str, Any]:
        """The arguments of `programs.make`."""
        values = self.cleaned_data
        return {
            "name": values["name"],
            "scope": " ".join(values["scope"]),
            "seconds": int(timedelta(days=values["days"]).total_seconds()),
        }
