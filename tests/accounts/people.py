"""Who takes part? ada and grace use the site, mallory attacks it, admin looks after it."""

from typing import Any

from accounts.models import User


def make(username: str, **fields: Any) -> User:
    """A user with the password that the demo would give them."""
    return User.objects.create_user(
        username, f"{username}@example.org", f"{username}-demo-password", **fields
    )
