"""Are the logins of the jwt flow safe? Six points; `of_sessions` has the other six."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.apps import apps
from django.conf import LazySettings
from django.contrib.auth import get_user_model
from jwt.utils import base64url_decode

from jwt_api.tokens import AccessToken
from lab.audit.both import (
    LONGEST_LOGIN,
    announced,
    asked_until_refused,
    asks_for_csrf,
    configured,
    device_ends,
    encrypted,
    guarded,
    logout_ends,
    not_in_redis,
    not_kept,
    out_of_scripts_reach,
    refreshed_twice,
    says_nothing_of,
    set_to_encrypt,
)
from lab.audit.forging import ALGORITHM, ASKED, all_refused, parts, presented
from lab.audit.point import Check, Found, Point, check
from lab.audit.scene import Login, Scene, said
from lab.proofs import Attacked, Tested, Written

FLOW = "jwt"
LONGEST_ACCESS = 15 * 60
MOST_LEEWAY = 30
MOST_BYTES = 200
CLAIMS = {"iss", "aud", "sub", "exp", "iat", "jti", "sid", "client_id", "epoch", "roles", "use"}


# --- expiry ---------------------------------------------------------------------------------


def are_bounded(settings: LazySettings) -> bool:
    idle, absolute = settings.REFRESH_IDLE_SECONDS, settings.ABSOLUTE_SECONDS
    return bool(0 < idle <= absolute <= LONGEST_LOGIN)


@check(
    "An access token is good for 15 minutes at most, where it cannot be revoked.",
    "A stolen token cannot be taken back, and its thief has all that time.",
)
def access_is_short(scene: Scene) -> Found:
    login = scene.standing(FLOW)
    _, claims = parts(login.token)
    seconds = claims["exp"] - claims["iat"]
    told = login.response.json()["credential"]["expires_in"]
    is_short = 0 < seconds <= LONGEST_ACCESS or can_be_revoked(scene)
    answer = f"{seconds} s; expires_in {told} s"
    return Found(is_short and told == seconds, "exp - iat of an access token", answer)


def can_be_revoked(scene: Scene) -> bool:
    """Whether a denylist is looked at; from outside nobody can tell before a logout."""
    return scene.inside and scene.settings.JWT_REVOCATION != "expiry"


@check(
    "The refresh token and its cookie end, and not later than the login may last.",
    "Whoever copied it once is logged in for ever.",
)
def refresh_ends(scene: Scene) -> Found:
    login = scene.standing(FLOW)
    _, claims = parts(login.cookie.value)
    seconds, age = claims["exp"] - claims["iat"], int(login.cookie["max-age"] or 0)
    most = scene.settings.REFRESH_IDLE_SECONDS if scene.inside else LONGEST_LOGIN
    answer = f"exp - iat {seconds} s, Max-Age={age}, of {most} s at most"
    return Found(0 < seconds <= most and 0 < age <= most, f"POST /api/{FLOW}/login/", answer)


@check(
    "An expired token is refused, 30 seconds of leeway included.",
    "Lifetimes stand in the settings, and nobody looks at them.",
)
def expired_is_refused(scene: Scene) -> Found:
    assert scene.settings  # only from inside can a token be signed that is over
    token = AccessToken(scene.standing(FLOW).token)  # type: ignore[arg-type]
    now = int(time.time())
    token.payload |= {"iat": now - 3600, "exp": now - MOST_LEEWAY - 1}
    answer = presented(scene, str(token))
    return all_refused(f"{ASKED}, expired {MOST_LEEWAY + 1} s ago", {"signed by us": answer})


# --- storage --------------------------------------------------------------------------------


def secrets_of(login: Login) -> tuple[str, ...]:
    """What of both tokens cannot be computed by anybody: their signatures."""
    return tuple(text.rpartition(".")[2] for text in (login.token, login.cookie.value))


@check(
    "No row about the user holds a token that could be presented.",
    "Anybody who reads a backup of the database can log in.",
)
def rows_hold_no_token(scene: Scene) -> Found:
    assert scene.settings
    login = scene.standing(FLOW)
    revealing, rows = set(), 0
    for name, row in rows_of(login.user_id):
        rows += 1
        if any(secret in row for secret in secrets_of(login)):
            revealing.add(name)
    where = f", in {', '.join(sorted(revealing))}" if revealing else ""
    answer = f"{rows} rows of this user, {len(revealing)} tables with a usable token{where}"
    return Found(not revealing, "SQL: every row that belongs to the user", answer)


def rows_of(user_id: int) -> Iterator[tuple[str, str]]:
    """Table and text of each row that names the user."""
    user = get_user_model()
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if field.is_relation and field.concrete and field.related_model is user:
                for row in model._default_manager.filter(**{field.name: user_id}).values():
                    yield model._meta.db_table, str(row)


# --- transport ------------------------------------------------------------------------------


@check(
    "The refresh cookie alone opens nothing: the access token is asked for.",
    "Any page that the user visits can act in their name.",
)
def the_cookie_opens_nothing(scene: Scene) -> Found:
    copy = scene.copy_of(scene.standing(FLOW))
    copy.token = None
    answer = said(copy.send("GET", "whoami/"))
    return Found(answer.startswith("401"), "GET /api/jwt/whoami/ with the cookie alone", answer)


# --- payload --------------------------------------------------------------------------------


@check(
    f"An access token's payload is {MOST_BYTES} bytes at most, and holds known claims only.",
    "What nobody meant to publish stands in every request, and grows.",
)
def claims_are_few(scene: Scene) -> Found:
    token = scene.standing(FLOW).token
    size = len(base64url_decode(token.split(".")[1]))
    unknown = sorted(parts(token)[1].keys() - CLAIMS)
    answer = f"{size} bytes; unknown claims: {', '.join(unknown) or 'none'}"
    return Found(size <= MOST_BYTES and not unknown, "the payload of an access token", answer)


# --- revocation -----------------------------------------------------------------------------


@check(
    "A refresh token is used once: an older one is refused, and ends the whole family.",
    "A thief who refreshes first stays in for good, and nobody notices.",
)
def reuse_ends_the_family(scene: Scene) -> Found:
    login, thief, is_new = refreshed_twice(scene, FLOW)
    reused = said(thief.send("POST", "refresh/"))
    family = said(login.client.send("POST", "refresh/"))
    refused = reused.startswith("401") and family.startswith("401")
    return Found(
        is_new and refused,
        "POST refresh/ twice, then once with the first token, then with the newest",
        f"{'other tokens' if is_new else 'the same token'}; {reused}; {family}",
    )


@check(
    "An access token dies after a logout as stated: at once with a denylist, else with `exp`, "
    "15 minutes later at most.",
    "Who copied the token stays in after the logout, and nobody has said for how long.",
)
def access_dies_as_stated(scene: Scene) -> Found:
    login = scene.login(FLOW)
    copy = scene.copy_of(login)
    login.client.logout()
    is_denied = can_be_revoked(scene)
    bound = announced("JWT_REVOCATION")(scene) if is_denied else 0
    answer = asked_until_refused([copy], "GET", "whoami/", bound)[0]
    left = int(parts(login.token)[1]["exp"] - time.time())
    is_ended = answer.startswith("401")
    words = answer if is_ended else f"{answer}, for {left} s more, until exp"
    as_stated = is_ended or (not is_denied and left <= LONGEST_ACCESS)
    return Found(as_stated, "POST logout/, then GET whoami/ with the access token", words)


def at_once(scene: Scene) -> float:
    """The database is asked at each refresh."""
    return 0


ENDS: tuple[Check, ...] = (
    logout_ends(FLOW, "POST", "refresh/", bound=at_once),
    device_ends(FLOW, "POST", "refresh/", bound=at_once),
)

POINTS = (
    Point(
        FLOW,
        "algorithm",
        "Who can make a token that is believed?",
        (
            configured(
                "Tokens are signed by a private key (ES256, RS256, EdDSA) from the ring alone.",
                "Who can verify a token can also forge one.",
                names=("SIMPLE_JWT.ALGORITHM",),
                ids=("jwt_api.E002", "jwt_api.E007"),
            ),
            *ALGORITHM,
        ),
        (
            Attacked("drop-the-signature"),
            Tested("tests/jwt_api/test_tokens.py"),
            Written("docs/security.md#tokens"),
        ),
    ),
    Point(
        FLOW,
        "expiry",
        "Does every token end?",
        (
            configured(
                "Access tokens live 15 minutes at most or can be revoked, the leeway is 30 "
                "seconds at most, and a login ends after 90 days at most.",
                "A stolen token cannot be taken back, and its thief has all that time.",
                names=(
                    "ACCESS_SECONDS",
                    "LEEWAY_SECONDS",
                    "REFRESH_IDLE_SECONDS",
                    "ABSOLUTE_SECONDS",
                ),
                ids=("jwt_api.E003", "jwt_api.E004", "accounts.E003"),
                test=are_bounded,
            ),
            access_is_short,
            expired_is_refused,
            refresh_ends,
        ),
        (
            Tested("tests/contract/test_expiry.py"),
            Written("docs/security.md#how-long-things-last"),
        ),
    ),
    Point(
        FLOW,
        "storage",
        "Who can read a usable token or key, and where?",
        (
            configured(
                "Refresh tokens are recorded (`token_blacklist`), and key files are their "
                "owner's alone.",
                "A logout answers 200 and revokes nothing; another account of the machine signs.",
                names=("JWT_REVOCATION",),
                ids=("jwt_api.E001", "jwt_api.E006"),
            ),
            out_of_scripts_reach(FLOW),
            rows_hold_no_token,
            not_in_redis(FLOW, secrets_of),
        ),
        (
            Attacked("read-a-database-dump"),
            Tested("tests/jwt_api/test_families.py"),
            Written("docs/keys.md"),
        ),
    ),
    Point(
        FLOW,
        "transport",
        "Who can get hold of a token, or have it sent?",
        (
            set_to_encrypt(),
            configured(
                "Cookies are set to be sent over HTTPS only.",
                "Who listens on the network can log in.",
                names=("REFRESH_COOKIE_SECURE", "REFRESH_COOKIE_SAMESITE", "CSRF_COOKIE_SECURE"),
                test=lambda settings: (
                    settings.REFRESH_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE
                ),
            ),
            encrypted(FLOW),
            guarded(FLOW, ("Strict",)),
            the_cookie_opens_nothing,
            asks_for_csrf(FLOW, "POST", "refresh/"),
            not_kept(FLOW),
        ),
        (
            Tested("tests/contract/test_cookies.py"),
            Tested("tests/contract/test_csrf.py"),
            Written("docs/security.md#cookies-csrf-browsers"),
        ),
    ),
    Point(
        FLOW,
        "payload",
        "What does a token tell whoever reads it?",
        (
            configured(
                "No digest of the password hash is put into tokens (CHECK_REVOKE_TOKEN).",
                "Whoever reads a token has something of the password to guess at.",
                names=("SIMPLE_JWT.CHECK_REVOKE_TOKEN",),
                ids=("jwt_api.E005",),
            ),
            claims_are_few,
            says_nothing_of(lambda login: login.token, FLOW, "the access token"),
            says_nothing_of(lambda login: login.cookie.value, FLOW, "the refresh token"),
        ),
        (
            Tested("tests/jwt_api/test_tokens.py"),
            Written("docs/security.md#tokens"),
        ),
    ),
    Point(
        FLOW,
        "revocation",
        "Does an ended login stay ended?",
        (
            configured(
                "Used refresh tokens are listed, and tokens that cannot be revoked are short.",
                "A logout answers 200 and revokes nothing.",
                names=("JWT_REVOCATION", "JWT_REVOCATION_OUTAGE"),
                ids=("jwt_api.E001",),
            ),
            *ENDS,
            reuse_ends_the_family,
            access_dies_as_stated,
        ),
        (
            Attacked("replay-after-rotation"),
            Tested("tests/contract/test_refresh.py"),
            Written("docs/security.md#how-soon-an-end-is-an-end"),
        ),
    ),
)
