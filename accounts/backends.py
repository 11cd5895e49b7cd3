"""How does a password become a user? Django's way, behind the login limits.

Every login of the site comes through here: both flows, their pages, the admin and
the browsable API. One place to count means that hopping between them buys nothing.
"""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from accounts.models import User
from accounts.throttling import claim_attempt, give_back_attempt


class ThrottledBackend(ModelBackend):
    """Django's `ModelBackend`, with each attempt counted before the password is hashed."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        """Raises `Throttled` (429) over the limit, `StoreUnavailable` (503) without Redis."""
        if username is None or password is None:
            return None
        claim_attempt(request, username)
        user = super().authenticate(request, username=username, password=password, **kwargs)
        if user is not None:
            give_back_attempt(request, username)
        return user
