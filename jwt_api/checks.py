"""Which configuration would make the jwt flow unsafe? Its twin is `sessions_api.checks`."""

import re
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured

from jwt_api.key_files import files_in
from jwt_api.keys import ring
from jwt_api.signers import ALGORITHMS

E001 = Error(
    "insecure configuration: rest_framework_simplejwt.token_blacklist is not installed.",
    hint="Add it to INSTALLED_APPS: without it SimpleJWT's logout answers 200 and revokes nothing.",
    id="jwt_api.E001",
)
E002 = Error(
    "insecure configuration: JWT_ALGORITHM is not ES256, RS256 or EdDSA.",
    hint="Who can verify an HS256 token can also forge one; choose ES256, RS256 or EdDSA.",
    id="jwt_api.E002",
)
E003 = Error(
    "insecure configuration: access tokens live longer than 15 minutes and cannot be revoked.",
    hint="Set ACCESS_SECONDS to 900 or less, or JWT_REVOCATION to lookup or push.",
    id="jwt_api.E003",
)
E004 = Error(
    "insecure configuration: the leeway is above 30 seconds.",
    hint="Set LEEWAY_SECONDS to 30 or less, and mend the clocks instead.",
    id="jwt_api.E004",
)
E005 = Error(
    "insecure configuration: CHECK_REVOKE_TOKEN puts an MD5 of the password hash into every token.",
    hint="Leave it off; the user's epoch ends tokens at a password change.",
    id="jwt_api.E005",
)
E007 = Error(
    "insecure configuration: SIMPLE_JWT has a key of its own beside the key ring.",
    hint="Leave SIGNING_KEY and VERIFYING_KEY empty: SimpleJWT's stock classes would sign and "
    "verify with them, and a symmetric one beside public keys invites their confusion.",
    id="jwt_api.E007",
)
E010 = Error(
    "insecure configuration: tokens for programs have the audience of logins, or of the issuer.",
    hint="Give JWT_PROGRAM_AUDIENCE a value of its own: a program's token would pass for a login.",
    id="jwt_api.E010",
)
E011 = Error(
    "insecure configuration: an entry of INTROSPECTION_CLIENTS is not id:secret, or is guessable.",
    hint="Use 32 characters or more of A-Z a-z 0-9 . _ ~ - as its secret.",
    id="jwt_api.E011",
)
INTROSPECTION_CLIENT = re.compile(r"[\w.~-]+:[\w.~-]{32,}", re.ASCII)


@register(Tags.security)
def check_programs(**kwargs: Any) -> list[CheckMessage]:
    """Look at what other programs and services are given."""
    others = (settings.SIMPLE_JWT["AUDIENCE"], settings.SIMPLE_JWT["ISSUER"])
    found: list[CheckMessage] = [E010] if settings.JWT_PROGRAM_AUDIENCE in others else []
    clients = settings.INTROSPECTION_CLIENTS
    if not all(INTROSPECTION_CLIENT.fullmatch(client) for client in clients):
        found.append(E011)
    return found


@register(Tags.security)
def check_tokens(**kwargs: Any) -> list[CheckMessage]:
    simple_jwt = settings.SIMPLE_JWT
    found: list[CheckMessage] = []
    if not apps.is_installed("rest_framework_simplejwt.token_blacklist"):
        found.append(E001)
    if simple_jwt["ALGORITHM"] not in ALGORITHMS:
        found.append(E002)
    is_revocable = (settings.JWT_REVOCATION, settings.JWT_REVOCATION_OUTAGE) in (
        ("lookup", "refuse"),
        ("push", "refuse"),
    )
    if simple_jwt["ACCESS_TOKEN_LIFETIME"].total_seconds() > 900 and not is_revocable:
        found.append(E003)
    if settings.LEEWAY_SECONDS > 30:
        found.append(E004)
    if simple_jwt.get("CHECK_REVOKE_TOKEN"):
        found.append(E005)
    if (
        simple_jwt.get("SIGNING_KEY")
        or simple_jwt.get("VERIFYING_KEY")
        or simple_jwt.get("JWK_URL")
    ):
        found.append(E007)
    return found


@register(Tags.security)
def check_keys(**kwargs: Any) -> list[CheckMessage]:
    """Look at the keys that there are; one that cannot sign would fail at the first login."""
    if not files_in(settings.JWT_KEYS_DIR) and not settings.JWT_SIGNING_KEY:
        return []
    try:
        ring()
    except ImproperlyConfigured as error:
        return [
            Error(
                f"insecure configuration: {error}",
                hint="Mend it, or take it away; docs/keys.md says what may lie there.",
                id="jwt_api.E006",
            )
        ]
    return []
