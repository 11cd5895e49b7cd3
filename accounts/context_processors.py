"""What does every template know? The registered flows, and how this site is set up."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from accounts.contract.registry import flows

DEMO_USERS = ("ada", "grace", "mallory")


def site(request: HttpRequest) -> dict[str, Any]:
    """`flows`, `demo_users` (none outside the lab) and `cookie_prefix`, for all templates.

    Reads no store: the page that says "Redis is not running" is rendered with it too.
    """
    return {
        "flows": flows(),
        "demo_users": DEMO_USERS if settings.LAB else (),
        "cookie_prefix": settings.COOKIE_PREFIX,
    }
