"""Is this deployment's configuration safe for both flows? Each refusal has a name and a way out."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

LOOPBACK = {"127.0.0.1", "localhost", "[::1]", "testserver"}

E001 = Error(
    "insecure configuration: SECRET_KEY has fewer than 50 characters.",
    hint="Leave SECRET_KEY empty to have one made, or set one of 64 random bytes.",
    id="accounts.E001",
)
E002 = Error(
    "insecure configuration: the lab is on and the site answers for a public host name.",
    hint="Set LAB=0, or ALLOWED_HOSTS=127.0.0.1,localhost.",
    id="accounts.E002",
)
E003 = Error(
    "insecure configuration: a lifetime is not positive, or GRACE_SECONDS is above 30.",
    hint="Lifetimes count seconds above 0; the grace of a refresh is 0 (off) to 30 seconds.",
    id="accounts.E003",
)
W001 = Warning(
    "insecure configuration: cookies are not Secure; who listens on the network can log in.",
    hint="Set COOKIE_SECURE=1. Only Safari on http://localhost and plain LAN addresses need 0.",
    id="accounts.W001",
)


@register(Tags.security)
def check_secret_key(**kwargs: Any) -> list[CheckMessage]:
    return [E001] if len(settings.SECRET_KEY) < 50 else []


@register(Tags.security)
def check_lab_is_private(**kwargs: Any) -> list[CheckMessage]:
    public = set(settings.ALLOWED_HOSTS) - LOOPBACK
    return [E002] if settings.LAB and public and not settings.DEBUG else []


@register
def check_lifetimes(**kwargs: Any) -> list[CheckMessage]:
    lifetimes = (
        settings.ACCESS_SECONDS,
        settings.REFRESH_IDLE_SECONDS,
        settings.SESSION_IDLE_SECONDS,
        settings.ABSOLUTE_SECONDS,
    )
    return [] if min(lifetimes) > 0 and 0 <= settings.GRACE_SECONDS <= 30 else [E003]


@register(Tags.security, deploy=True)
def check_cookies(**kwargs: Any) -> list[CheckMessage]:
    return [] if settings.COOKIE_SECURE else [W001]
