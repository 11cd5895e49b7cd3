"""Are the logins of the sessions flow safe? Six points; `of_jwt` has the other six."""

from __future__ import annotations

import json
import math
import re
from copy import copy

from django.conf import LazySettings

from lab.audit.both import (
    LONGEST_LOGIN,
    announced,
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
from lab.audit.point import Check, Found, Point, check
from lab.audit.scene import Scene, give, said, texts
from lab.proofs import Attacked, Tested, Written
from sessions_api.records import digest_of, session_key_name, user_of

FLOW = "sessions"
LOGINS = 6
LEAST_BITS = 128
MOST_BYTES = 200
OPAQUE = re.compile(r"(\d+\.)?[A-Za-z0-9_-]+", re.ASCII)


# --- identifier -----------------------------------------------------------------------------


@check(
    f"Ids have {LEAST_BITS} random bits or more, and no two logins the same.",
    "Somebody who tries ids, or continues those that they were given, meets live logins.",
)
def ids_are_random(scene: Scene) -> Found:
    ids = [scene.standing(FLOW).cookie.value]
    ids += [scene.login(FLOW).cookie.value for _ in range(LOGINS - 1)]
    parts = [each.rpartition(".")[2] for each in ids]
    changing = sum(len(set(column)) > 1 for column in zip(*parts, strict=False))
    alphabet = len(set("".join(parts)))
    bits = int(changing * math.log2(alphabet))
    answer = (
        f"{LOGINS} logins, {len(set(ids))} different ids; {changing} of {len(parts[0])} characters "
        f"change, {alphabet} kinds of them: about {bits} bits"
    )
    return Found(len(set(ids)) == LOGINS and bits >= LEAST_BITS, f"POST /api/{FLOW}/login/", answer)


@check(
    "A login gets a new id, and the one before is refused from then on.",
    "Who stole the id before, or planted it, is logged in as the user afterwards (fixation).",
)
def a_login_changes_the_id(scene: Scene) -> Found:
    first = scene.login(FLOW)
    thief = scene.copy_of(first)
    second = scene.login(FLOW, first.client)
    answer = said(thief.send("GET", "whoami/"))
    is_new = first.cookie.value != second.cookie.value
    words = "another id" if is_new else "the same id"
    return Found(
        is_new and answer.startswith("401"),
        "two logins in one browser, then GET whoami/ with the first id",
        f"{words}; {answer}",
    )


@check(
    "An id that the client brings along is never adopted.",
    "An attacker sets the cookie first, and waits for the victim to log in (fixation).",
)
def a_planted_id_is_dropped(scene: Scene) -> Found:
    known = scene.standing(FLOW)
    user, dot, random = known.cookie.value.rpartition(".")
    planted = f"{user}{dot}{'A' * len(random)}"
    client = scene.client(FLOW)
    jar = known.client.http.cookies.jar
    cookie = next(copy(each) for each in jar if each.name == known.cookie.key)
    cookie.value = planted
    give(client, [cookie])
    is_new = scene.login(FLOW, client).cookie.value != planted
    words = "another id was set" if is_new else "the planted id was kept"
    return Found(is_new, f"POST /api/{FLOW}/login/ with a made-up id", words)


# --- expiry ---------------------------------------------------------------------------------


def are_bounded(settings: LazySettings) -> bool:
    idle, absolute = settings.SESSION_IDLE_SECONDS, settings.ABSOLUTE_SECONDS
    return bool(0 < idle <= absolute <= LONGEST_LOGIN)


@check(
    "The cookie ends with the login, and an unused login before it.",
    "A forgotten browser, or a stolen cookie, is a login for ever.",
)
def the_cookie_ends(scene: Scene) -> Found:
    login = scene.standing(FLOW)
    age, idle = int(login.cookie["max-age"] or 0), login.response.json()["credential"]["expires_in"]
    most = scene.settings.ABSOLUTE_SECONDS if scene.inside else LONGEST_LOGIN
    answer = f"Max-Age={age}, expires_in {idle} s, of {most} s at most"
    return Found(0 < idle <= age <= most, f"POST /api/{FLOW}/login/", answer)


@check(
    "Redis ends the record by itself when it is not used (TTL).",
    "Logins pile up in Redis, and none of them ever ends.",
)
def the_record_ends(scene: Scene) -> Found:
    session_id = scene.standing(FLOW).cookie.value
    ttl = scene.redis().ttl(session_key_name(user_of(session_id), digest_of(session_id)))
    most = scene.settings.SESSION_IDLE_SECONDS
    return Found(0 < ttl <= most, "Redis: TTL of the record", f"{ttl} s, of {most} s at most")


# --- storage --------------------------------------------------------------------------------


@check(
    "A session's record in Redis is data (JSON), and no program.",
    "Whoever can write to Redis runs code in the web server (pickle).",
)
def records_are_data(scene: Scene) -> Found:
    login = scene.standing(FLOW)
    session_id = login.cookie.value
    name = session_key_name(user_of(session_id), digest_of(session_id))
    raw = scene.redis().get(name) or b""
    try:
        is_data = isinstance(json.loads(raw), dict | list)
    except ValueError:
        is_data = False
    answer = f"{len(raw)} bytes, {'JSON' if is_data else 'no JSON'}"
    return Found(is_data, "Redis: GET of the record", answer)


# --- payload --------------------------------------------------------------------------------


def stays_on_the_server(settings: LazySettings) -> bool:
    return "signed_cookies" not in settings.SESSION_ENGINE


@check(
    f"The cookie is an opaque id of {MOST_BYTES} bytes at most: a number and random characters.",
    "What the server knows about its users travels with each request, and can be read.",
)
def the_id_is_opaque(scene: Scene) -> Found:
    value = scene.standing(FLOW).cookie.value
    is_opaque = OPAQUE.fullmatch(value) is not None and len(value) <= MOST_BYTES
    parts = " and ".join(f"{len(part)} characters" for part in value.split("."))
    return Found(is_opaque, f"POST /api/{FLOW}/login/", f"{len(value)} bytes: {parts}")


@check(
    "Redis holds no password hash, name or address of the user.",
    "Who reads Redis, or a backup of it, has the addresses, and passwords to guess at leisure.",
)
def redis_knows_little(scene: Scene) -> Found:
    login = scene.standing(FLOW)
    held = " ".join(texts(scene.redis(), login.user_id).values()).casefold()
    personal = scene.personal(FLOW)
    there = sum(word in held for word in personal)
    answer = f"{there} of {len(personal)} words about the user are in it"
    return Found(not there, "Redis: every value of this user", answer)


# --- revocation -----------------------------------------------------------------------------


@check(
    "A refresh gives another id, and an id that is two refreshes old opens nothing.",
    "A copied id stays good for as long as its owner keeps refreshing.",
)
def a_refresh_changes_the_id(scene: Scene) -> Found:
    _, thief, is_new = refreshed_twice(scene, FLOW)
    answer = said(thief.send("POST", "refresh/"))
    return Found(
        is_new and answer.startswith("401"),
        "POST refresh/ twice, then once more with the first id",
        f"{'another id' if is_new else 'the same id'}; {answer}",
    )


BOUND = announced("SESSION_CHECK")
ENDS: tuple[Check, ...] = (
    logout_ends(FLOW, "GET", "whoami/", bound=BOUND),
    device_ends(FLOW, "GET", "whoami/", bound=BOUND),
)

POINTS = (
    Point(
        FLOW,
        "identifier",
        "Can a session id be guessed, kept or planted?",
        (
            configured(
                "SECRET_KEY cannot be guessed.",
                "A refresh derives the next id from SECRET_KEY: who guesses it knows them all.",
                names=("SESSION_ENGINE",),
                ids=("accounts.E001",),
            ),
            ids_are_random,
            a_login_changes_the_id,
            a_planted_id_is_dropped,
        ),
        (
            Attacked("plant-a-session-id"),
            Tested("tests/contract/test_login.py"),
            Written("docs/security.md#sessions"),
        ),
    ),
    Point(
        FLOW,
        "expiry",
        "Does every session end?",
        (
            configured(
                "Sessions end when they are not used, and in any case after 90 days at most.",
                "A forgotten browser, or a stolen cookie, is a login for ever.",
                names=("SESSION_IDLE_SECONDS", "ABSOLUTE_SECONDS"),
                ids=("accounts.E003",),
                test=are_bounded,
            ),
            the_cookie_ends,
            the_record_ends,
        ),
        (
            Tested("tests/contract/test_expiry.py"),
            Written("docs/security.md#how-long-things-last"),
        ),
    ),
    Point(
        FLOW,
        "storage",
        "Who can read a usable session id, and where?",
        (
            configured(
                "Sessions have an alias of their own in Redis: JSON, no swallowed errors, one "
                "server that answers for itself.",
                "A Redis that somebody writes to runs code, or one that lags lets in who was "
                "logged out.",
                names=("SESSION_CACHE_ALIAS", "SESSION_ENGINE"),
                ids=tuple(f"sessions_api.E00{number}" for number in (1, 2, 3, 5, 7)),
            ),
            out_of_scripts_reach(FLOW),
            not_in_redis(FLOW, lambda login: (login.cookie.value,)),
            records_are_data,
        ),
        (
            Attacked("list-the-keys"),
            Tested("tests/sessions_api/test_store.py"),
            Written("docs/security.md#sessions"),
        ),
    ),
    Point(
        FLOW,
        "transport",
        "Who can get hold of the cookie, or have it sent?",
        (
            set_to_encrypt(),
            configured(
                "Cookies are set to be sent over HTTPS only.",
                "Who listens on the network can log in.",
                names=("SESSION_COOKIE_SECURE", "SESSION_COOKIE_SAMESITE", "CSRF_COOKIE_SECURE"),
                test=lambda settings: (
                    settings.SESSION_COOKIE_SECURE and settings.CSRF_COOKIE_SECURE
                ),
            ),
            encrypted(FLOW),
            guarded(FLOW, ("Lax", "Strict")),
            asks_for_csrf(FLOW, "PATCH", "me/"),
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
        "What does a session id tell whoever reads it?",
        (
            configured(
                "What a session means stays on the server.",
                "The cookie is the session: readable by anybody, and never revocable.",
                names=("SESSION_ENGINE",),
                test=stays_on_the_server,
            ),
            the_id_is_opaque,
            says_nothing_of(lambda login: login.cookie.value, FLOW, "the session id"),
            redis_knows_little,
        ),
        (
            Tested("tests/sessions_api/test_records.py"),
            Written("docs/security.md#sessions"),
        ),
    ),
    Point(
        FLOW,
        "revocation",
        "Does an ended session stay ended?",
        (
            configured(
                "A logout that Redis did not take is told as one (503), and no late answer writes "
                "a session back.",
                "The user is told that they are logged out, and are not.",
                names=("SESSION_CHECK", "SESSION_SAVE_EVERY_REQUEST"),
                ids=("sessions_api.E002", "sessions_api.E006"),
            ),
            *ENDS,
            a_refresh_changes_the_id,
        ),
        (
            Attacked("use-after-logout"),
            Tested("tests/contract/test_logout.py"),
            Written("docs/security.md#how-soon-an-end-is-an-end"),
        ),
    ),
)
