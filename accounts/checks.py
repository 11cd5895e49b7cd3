"""Is this deployment's configuration safe for both flows? Each refusal has a name and a way out."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

LOOPBACK = {"127.0.0.1", "localhost", "[::1]", "testserver"}

E001 = Error(
    "insecure configuration: SECRET_KEY, or one of its fallbacks, is short or can be guessed.",
    hint="Leave SECRET_KEY empty to have one made, or set one of 50 random characters or more.",
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
E004 = Error(
    "insecure configuration: cookies are not Secure and HttpOnly; who listens can log in.",
    hint="Set COOKIE_SECURE=1. DEBUG may do without, and a lab that no other machine can call.",
    id="accounts.E004",
)
E005 = Error(
    "insecure configuration: the site answers to names of others, and mailed links begin with it.",
    hint="Set SITE_URL=https://www.example.com, or name the site's names in ALLOWED_HOSTS.",
    id="accounts.E005",
)
W001 = Warning(
    "insecure configuration: cookies are not Secure; who listens on the network can log in.",
    hint="Set COOKIE_SECURE=1. Only Safari on http://localhost needs 0, and DEBUG on a plain LAN.",
    id="accounts.W001",
)
# What `startproject` and tutorials leave behind; Django's own deployment check looks for it too.
PUBLISHED_PREFIX = "django-insecure-"
LEAST_DIFFERENT_CHARACTERS = 5


@register(Tags.security)
def check_secret_key(**kwargs: Any) -> list[CheckMessage]:
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return [] if all(map(is_hard_to_guess, secrets)) else [E001]


def is_hard_to_guess(secret: str) -> bool:
    return (
        len(secret) >= 50
        and len(set(secret)) >= LEAST_DIFFERENT_CHARACTERS
        and not secret.startswith(PUBLISHED_PREFIX)
    )


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


@register(Tags.security)
def check_links_lead_here(**kwargs: Any) -> list[CheckMessage]:
    # ".example.com" as well: of its subdomains one may be somebody else's.
    any_name = any(host == "*" or host.startswith(".") for host in settings.ALLOWED_HOSTS)
    return [E005] if any_name and not settings.SITE_URL else []


@register(Tags.security)
def check_cookies(**kwargs: Any) -> list[CheckMessage]:
    return [] if cookies_are_safe() or may_do_without_https() else [E004]


@register(Tags.security, deploy=True)
def check_cookies_of_the_lab(**kwargs: Any) -> list[CheckMessage]:
    return [W001] if not cookies_are_safe() and may_do_without_https() else []


def may_do_without_https() -> bool:
    """A lab on loopback names; with DEBUG the machines of whoever develops it are meant as well."""
    return settings.DEBUG or (settings.LAB and not set(settings.ALLOWED_HOSTS) - LOOPBACK)


def cookies_are_safe() -> bool:
    return (
        settings.SESSION_COOKIE_SECURE
        and settings.SESSION_COOKIE_HTTPONLY
        and settings.CSRF_COOKIE_SECURE
        and settings.REFRESH_COOKIE_SECURE
    )
