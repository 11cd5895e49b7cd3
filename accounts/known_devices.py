"""From which browsers has this account been logged in to before? A signed cookie in each says so.

Whoever burns an account's login attempts would lock its owner out. So a browser that the owner
has logged in from has attempts of its own (OWASP, "Slow Down Online Guessing Attacks with
Device Cookies"; they are counted in `accounts.throttling`). That is all that the cookie is good
for: nothing takes it for a login. It outlives logout and password change, or an attacker could
wait for them.

django-device-cookies is not used: it hashes first and counts afterwards, which 40 guesses at once
get through, and its cookie names the user.
"""

import secrets
from hashlib import sha256

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest, HttpResponseBase


def known_device(request: HttpRequest, username: str) -> str | None:
    """The number of the browser, if its cookie was set by a login to exactly this account.

    None for a cookie that is missing, forged, over, or another account's: it counts for nothing.
    """
    text = request.COOKIES.get(settings.KNOWN_DEVICE_COOKIE_NAME, "")
    try:
        return _signer(username).unsign(text, max_age=settings.KNOWN_DEVICE_SECONDS)
    except BadSignature:
        return None


def remember_device(response: HttpResponseBase, username: str) -> None:
    """Let the browser be known from now on: it has just proven the password of this account.

    Always by a new number. A copy of the cookie keeps the old one, so that its thief can use up
    the attempts of the browser until its owner's next login, and no longer.
    """
    response.set_cookie(
        settings.KNOWN_DEVICE_COOKIE_NAME,
        _signer(username).sign(secrets.token_urlsafe(16)),
        max_age=settings.KNOWN_DEVICE_SECONDS,
        path="/",
        secure=settings.KNOWN_DEVICE_COOKIE_SECURE,
        httponly=True,
        samesite=settings.KNOWN_DEVICE_COOKIE_SAMESITE,
    )


def _signer(username: str) -> TimestampSigner:
    """Signs for one account. The account is part of the key, and so nowhere in the cookie.

    Threat: unlike the counters, it tells "Ada" from "ada". Those are two accounts, and the owner of
    one must not be known to the other.
    """
    account = sha256(username.encode(errors="replace")).hexdigest()
    return TimestampSigner(salt=f"accounts.known_devices.{account}")
