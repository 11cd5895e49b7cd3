"""Does the token inspector say which check refuses, as the server itself does?"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings as site_settings
from django.test import Client
from django_redis import get_redis_connection
from jwt.utils import base64url_decode
from pytest_django import Settings

from accounts.contract.errors import CredentialInvalid
from accounts.models import User
from jwt_api import programs
from jwt_api.keys import ring
from lab.token import of_sessions, of_tokens
from lab.token.checks import report
from sessions_api.records import decode, digest_of, session_key_name
from tests.accounts.racing import browser, log_in, post
from tests.jwt_api.forging import ABSENT, Forge, segment
from tests.outages import no_redis

pytestmark = [pytest.mark.once, pytest.mark.django_db, pytest.mark.usefixtures("lab")]

VERIFY, SESSION = "/lab/token/verify/", "/lab/token/session/"


@pytest.fixture
def client(lab: None, ada: User) -> Client:
    return browser()


@pytest.fixture
def forge(client: Client) -> Forge:
    """ada's genuine access token, and what mallory can do with it."""
    return Forge(log_in(client, "jwt")["credential"]["token"])


def verified(client: Client, token: str) -> Any:
    answer = post(client, VERIFY, {"token": token})
    assert answer.status_code == 200, answer.content
    assert "no-store" in answer["Cache-Control"]
    return answer.json()


def whoami(client: Client, token: str) -> Any:
    return client.get("/api/jwt/whoami/", headers={"authorization": f"Bearer {token}"})


def with_secret(header: dict[str, Any], secret: bytes) -> Callable[[Forge], str]:
    return lambda forge: forge.theirs(header, "HS256", secret)


def public(encoding: Encoding) -> bytes:
    key: Any = ring().signing.signer.public
    return key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def own_key(header: Callable[[Any], dict[str, Any]]) -> Callable[[Forge], str]:
    def make(forge: Forge) -> str:
        key = ec.generate_private_key(ec.SECP256R1())
        return forge.theirs(header(key), "ES256", key)

    return make


def edited(at: str) -> Callable[[Forge], str]:
    """Another payload, under the signature that was made for the old one."""

    def make(forge: Forge) -> str:
        claims = {**forge.claims, at: "1" if at == "sub" else ["admin"]}
        return f"{forge.head}.{segment(claims)}.{forge.signature}"

    return make


def ours(header: Any = None, claims: Any = None) -> Callable[[Forge], str]:
    """Signed by our own key: what comes after the signature is only seen with its help."""
    return lambda forge: forge.ours(header, claims)


# What mallory makes -> the check that refuses it. What the page itself makes is in tests/browser.
FORGED: dict[str, tuple[Callable[[Forge], str], str]] = {
    "alg none": (lambda forge: f"{segment({**forge.header, 'alg': 'none'})}.{forge.body}.", "text"),
    "alg none, the old signature": (
        lambda forge: f"{segment({**forge.header, 'alg': 'nOnE'})}.{forge.body}.{forge.signature}",
        "algorithm",
    ),
    "HS256 with the PEM": (lambda f: f.theirs({}, "HS256", public(Encoding.PEM)), "algorithm"),
    "HS256 with the PEM, no newline": (
        lambda f: f.theirs({}, "HS256", public(Encoding.PEM).strip()),
        "algorithm",
    ),
    "HS256 with the DER": (lambda f: f.theirs({}, "HS256", public(Encoding.DER)), "algorithm"),
    "HS256 with the JWK": (
        lambda f: f.theirs({}, "HS256", json.dumps(ring().signing.signer.jwk).encode()),
        "algorithm",
    ),
    "an own key in jwk": (own_key(lambda _: {"kid": "mallory", "jwk": {"kty": "EC"}}), "key"),
    "an own key in jwk, our kid": (own_key(lambda _: {"jwk": {"kty": "EC"}}), "signature"),
    "jku": (own_key(lambda _: {"kid": "m", "jku": "https://mallory.example/"}), "key"),
    "kid is a path": (with_secret({"kid": "../../dev/null"}, b"\0"), "key"),
    "kid is SQL": (with_secret({"kid": "' UNION SELECT 'a' --"}, b"a" * 32), "key"),
    "kid is a list": (ours({"kid": ["a"]}), "header"),
    "the signature is empty": (lambda forge: f"{forge.head}.{forge.body}.", "text"),
    "roles edited": (edited("roles"), "signature"),
    "sub edited": (edited("sub"), "signature"),
    "expired, then edited": (
        lambda forge: (
            f"{forge.head}.{segment({**forge.claims, 'exp': 2**32})}."
            + forge.ours(None, {"exp": 1}).rpartition(".")[2]
        ),
        "signature",
    ),
    "header is no JSON": (ours(b"{"), "header"),
    "header is nested": (ours(b"[" * 1100 + b"]" * 1100), "header"),
    "header is UTF-16": (ours('{"alg":"ES256"}'.encode("utf-16")), "text"),
    "unknown critical extension": (ours({"crit": ["x"], "x": 1}), "header"),
    "a refresh token's typ": (ours({"typ": "rt+jwt"}), "typ"),
    "payload is no object": (ours(None, b"[]"), "payload"),
    "payload is no JSON": (ours(None, b"{"), "payload"),
    "payload is nested": (ours(None, b"[" * 1100 + b"]" * 1100), "payload"),
    "no exp": (ours(None, {"exp": ABSENT}), "required claims"),
    "made tomorrow": (ours(None, {"iat": 2**32}), "iat"),
    "good from tomorrow": (ours(None, {"nbf": 2**32}), "nbf"),
    "expired": (ours(None, {"exp": 1}), "exp"),
    "another issuer": (ours(None, {"iss": "mallory"}), "iss"),
    "another audience": (ours(None, {"aud": "bank"}), "aud"),
    "sub is a list": (ours(None, {"sub": ["1"]}), "claims"),
    "jti is a number": (ours(None, {"jti": 1}), "claims"),
    "an epoch in words": (ours(None, {"epoch": "one"}), "claims"),
    "another use": (ours(None, {"use": "rt"}), "use"),
    "a login's claims for programs": (ours(None, {"aud": "programs"}), "claims"),
}


@pytest.mark.parametrize("case", FORGED)
def test_forged_token_is_refused_by_its_check(client: Client, forge: Forge, case: str) -> None:
    make, check = FORGED[case]
    token = make(forge)
    said = verified(client, token)
    assert said["refused_by"] == check, said["cause"]
    # The inspector and the door say the same.
    answer = whoami(client, token)
    assert answer.status_code == 401
    assert answer.json() == {"detail": said["detail"], "code": said["code"]}
    verdicts = {each["name"]: each["verdict"] for each in said["checks"]}
    names = list(verdicts)
    before, after = names[: names.index(check)], names[names.index(check) + 1 :]
    assert {verdicts[name] for name in before if name != "nbf"} <= {"passed"}
    assert {verdicts[name] for name in after} <= {"not reached"}
    assert verdicts[check] == "refused"
    for where in (said["where"], *(each["where"] for each in said["checks"] if each["where"])):
        assert client.get("/lab/code/", where).status_code == 200


def test_of_an_unknown_refusal_nothing_is_claimed() -> None:
    said = report(of_tokens.CHECKS, [], CredentialInvalid("something new"))
    assert (said["refused_by"], said["checks"]) == ("other", [])


def test_every_check_of_a_token_has_a_forgery() -> None:
    refusing = {check for _, check in FORGED.values()} | {"denylist", "program"}
    assert refusing == {check.name for check in of_tokens.CHECKS}


def test_of_two_things_that_are_wrong_the_earlier_check_tells(client: Client, forge: Forge) -> None:
    wrong: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("typ", {"typ": "x"}, {}),
        ("key", {"kid": "x"}, {}),
        ("algorithm", {"alg": "HS256"}, {}),
        ("required claims", {}, {"client_id": ABSENT}),
        ("iat", {}, {"iat": 2**32}),
        ("exp", {}, {"exp": 1}),
        ("iss", {}, {"iss": "x"}),
        ("aud", {}, {"aud": "x"}),
        ("claims", {}, {"epoch": "x"}),
        ("use", {}, {"use": "x"}),
    ]
    for number, (check, _, _) in enumerate(wrong):
        headers = {name: value for _, header, _ in wrong[number:] for name, value in header.items()}
        claims = {name: value for _, _, some in wrong[number:] for name, value in some.items()}
        assert verified(client, forge.ours(headers, claims, algorithm="ES256"))["refused_by"] == (
            check
        )


def test_a_genuine_token_passes_every_check(client: Client, forge: Forge) -> None:
    said = verified(client, forge.token)
    assert said["refused_by"] is None
    assert said["where"] is None
    verdicts = {each["name"]: each["verdict"] for each in said["checks"]}
    unasked = {name for name, verdict in verdicts.items() if verdict != "passed"}
    assert {verdicts[name] for name in unasked} == {"not asked"}
    assert unasked == {"nbf", "denylist", "program"}
    assert whoami(client, forge.token).status_code == 200


def test_a_revoked_token_is_refused_where_somebody_asks(
    client: Client, forge: Forge, settings: Settings
) -> None:
    for asked, refused_by in (("expiry", None), ("lookup", "denylist")):
        settings.JWT_REVOCATION = asked
        post(client, "/api/jwt/logout/")
        said = verified(client, forge.token)
        assert said["refused_by"] == refused_by
        assert f"`{asked}`" in said["checks"][-2]["words"]


def test_a_program_s_token_is_looked_up_and_its_use_not_noted(client: Client, forge: Forge) -> None:
    bearer = {"authorization": f"Bearer {forge.token}"}
    wanted = {"name": "notes", "scope": "profile:read", "expires_in": 3600}
    made = post(client, "/api/jwt/tokens/", wanted, **bearer).json()
    assert verified(client, made["token"])["refused_by"] is None
    [row] = programs.live(User.objects.get().pk)
    assert row.last_used is None
    client.delete(f"/api/jwt/tokens/{made['id']}/", headers=bearer)
    assert verified(client, made["token"])["refused_by"] == "program"


PASTED = {
    "nothing": "",
    "a word": "hello",
    "two parts": "eyJhIjoxfQ.eyJhIjoxfQ",
    "five parts": "a.b.c.d.e",
    "NUL": "a\0.b.c",
    "a lone surrogate": "\ud800.b.c",
    "an emoji": "🦆.b.c",
    "padding": "eyJhIjoxfQ==.eyJhIjoxfQ==.YQ==",
    "white space": " a.b.c\n",
    "60 kB": "a" * 60_000,
    "nested": segment(b"[" * 5000) + ".e30.YQ",
    "markup": "<script>alert(1)</script>",
}


@pytest.mark.parametrize("case", PASTED)
def test_anything_may_be_pasted(client: Client, case: str) -> None:
    said = verified(client, PASTED[case])
    assert said["refused_by"] == "text"
    assert {each["verdict"] for each in said["checks"]} == {"refused", "not reached"}


BODIES: dict[str, tuple[Any, int]] = {
    "no token": ({}, 400),
    "a number": ({"token": 1}, 400),
    "a list": (["token"], 400),
    "null": ("null", 400),
    "a bare string": ('"a.b.c"', 400),
    "no JSON": ("{", 400),
    "a megabyte": ({"token": "a" * 2**20}, 413),
}


@pytest.mark.parametrize("case", BODIES)
def test_a_body_of_another_shape_is_refused_calmly(client: Client, case: str) -> None:
    body, status = BODIES[case]
    text = body if isinstance(body, str) else json.dumps(body)
    answer = client.post(VERIFY, text, content_type="application/json")
    assert answer.status_code == status
    assert answer.json()["code"] == "invalid"


# --- the session id --------------------------------------------------------------------------


@pytest.fixture
def session_id(client: Client) -> str:
    log_in(client, "sessions")
    return client.cookies[site_settings.SESSION_COOKIE_NAME].value


def test_one_s_own_record_is_shown_without_a_secret(
    client: Client, ada: User, session_id: str
) -> None:
    answer = post(client, SESSION)
    said = answer.json()
    assert said["refused_by"] is None
    assert said["key"] == session_key_name(ada.pk, said["digest"])
    assert said["digest"] == digest_of(session_id)
    redis = get_redis_connection("auth")
    assert 0 <= said["held"]["ttl"] - redis.ttl(said["key"]) <= 1, "the answer is the older one"
    stored = decode(redis.get(said["key"]))
    assert stored is not None
    assert said["held"]["record"]["device"] == stored.device
    assert stored.device in said["held"]["raw"]
    shown = answer.content.decode()
    assert session_id.partition(".")[2] not in shown
    secret = stored.data["_auth_user_hash"].partition(".")[2]
    assert len(secret) > 16
    assert secret not in shown


def test_one_character_changed_is_an_unknown_id(client: Client, session_id: str) -> None:
    secret = session_id.index(".") + 1
    for at in (secret, secret + 20, -1):
        answer = post(client, SESSION, {"edit": at})
        said = answer.json()
        assert said["refused_by"] == "record"
        assert said["cause"] == "unknown session id"
        assert said["digest"] != digest_of(session_id)
        assert session_id.partition(".")[2][3:-3] not in answer.content.decode()
    assert post(client, SESSION).json()["refused_by"] is None


def broken(**changes: Any) -> Callable[[User, str], str]:
    """The record as somebody left it who can write to Redis."""

    def make(ada: User, session_id: str) -> str:
        redis, name = get_redis_connection("auth"), key_of(ada, session_id)
        record = decode(redis.get(name))
        assert record is not None
        redis.set(name, replace(record, **changes).encode(), keepttl=True)
        return session_id

    return make


def unreadable(ada: User, session_id: str) -> str:
    get_redis_connection("auth").set(key_of(ada, session_id), b"\x80\x04}.", keepttl=True)
    return session_id


def key_of(user: User, session_id: str) -> str:
    return session_key_name(user.pk, digest_of(session_id))


def ended(ada: User, session_id: str) -> str:
    get_redis_connection("auth").delete(key_of(ada, session_id))
    return session_id


def without_epoch(ada: User, session_id: str) -> str:
    return broken(data={"_auth_user_id": str(ada.pk)})(ada, session_id)


PRESENTED: dict[str, tuple[Callable[[User, str], str], str]] = {
    "a word": (lambda ada, session_id: "admin", "session id"),
    "a wildcard": (lambda ada, session_id: f"{ada.pk}.*", "session id"),
    "NUL": (lambda ada, session_id: session_id + "\0", "session id"),
    "a surrogate": (lambda ada, session_id: "\ud800", "session id"),
    "guessed": (lambda ada, session_id: f"{ada.pk}.{'A' * 43}", "record"),
    "gone": (ended, "record"),
    "another user's number": (lambda ada, session_id: f"9{session_id}", "record"),
    "no record of ours": (unreadable, "record"),
    "kept in use for a year": (broken(created=int(time.time()) - 366 * 86400), "absolute end"),
    "moved under another user": (broken(data={"_auth_user_id": "999"}), "holder"),
    "older than the epoch": (without_epoch, "epoch"),
}


@pytest.mark.parametrize("case", PRESENTED)
def test_a_session_id_is_refused_by_its_check(
    client: Client, ada: User, session_id: str, case: str
) -> None:
    make, check = PRESENTED[case]
    presented = make(ada, session_id)
    answer = post(client, SESSION, {"id": presented})
    said = answer.json()
    assert said["refused_by"] == check, said["cause"]
    assert len(presented) < 20 or presented.partition(".")[2] not in answer.content.decode()
    # The inspector and the door say the same.
    if presented.isprintable():
        thief = browser(**{site_settings.SESSION_COOKIE_NAME: presented})
        door = thief.get("/api/sessions/whoami/")
        assert (door.status_code, door.json()["code"]) == (401, said["code"])


def test_every_check_of_a_session_id_has_a_case() -> None:
    assert {check for _, check in PRESENTED.values()} == {
        check.name for check in of_sessions.CHECKS
    }


def test_a_good_id_passes_every_check(client: Client, session_id: str) -> None:
    said = post(browser(), SESSION, {"id": session_id}).json()
    assert {each["verdict"] for each in said["checks"]} == {"passed"}


def test_without_a_session_there_is_nothing_to_show(client: Client) -> None:
    for body in ({}, {"edit": 3}):
        answer = post(client, SESSION, body)
        assert (answer.status_code, answer.json()) == (200, {"length": 0})
    assert post(client, SESSION, {"id": ""}).status_code == 400
    assert post(client, SESSION, {"edit": True}).status_code == 400


def test_while_redis_is_away_nothing_is_claimed(
    client: Client, forge: Forge, session_id: str, settings: Settings
) -> None:
    settings.JWT_REVOCATION = "lookup"
    asked = [(VERIFY, {"token": forge.token}), (SESSION, {}), (SESSION, {"id": session_id})]
    with no_redis():
        for path, body in asked:
            answer = post(client, path, body)
            assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
        assert verified(client, edited("sub")(forge))["refused_by"] == "signature"


# --- the page and its calls ------------------------------------------------------------------


@pytest.mark.parametrize("path", [VERIFY, SESSION])
def test_another_site_cannot_ask(path: str, lab: None, db: None) -> None:
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post(path, {"token": "a"}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
    assert strict.get(path).status_code == 405


@pytest.mark.parametrize("path", ["/lab/token/", VERIFY, SESSION])
def test_without_the_lab_there_is_no_inspector(path: str, settings: Settings) -> None:
    from tests.conftest import read_urls_anew

    settings.LAB = False
    read_urls_anew()
    assert browser().get(path).status_code == 404
    assert post(browser(), path).status_code == 404


def test_the_page_explains_every_claim_of_ours(client: Client, forge: Forge) -> None:
    assert forge.header.keys() <= of_tokens.HEADER.keys()
    assert forge.claims.keys() <= of_tokens.PAYLOAD.keys()
    assert len(base64url_decode(forge.body)) <= of_tokens.MOST_PAYLOAD_BYTES


def test_the_page_names_all_that_take_a_bearer_token(client: Client) -> None:
    page = client.get("/lab/token/").content.decode()
    for path in ("/api/jwt/whoami/", "/lab/strategies/jwt-naive/whoami/"):
        assert f'value="{path}"' in page
    for path in ("/api/sessions/whoami/", "/lab/strategies/jwt-cookie/whoami/"):
        assert f'value="{path}"' not in page


def test_nothing_of_a_private_key_is_shown(client: Client, forge: Forge) -> None:
    signer: Any = ring().signing.signer
    private = signer.private.private_numbers().private_value
    for answer in (client.get("/lab/token/"), post(client, VERIFY, {"token": forge.token})):
        shown = answer.content.decode()
        assert "PRIVATE" not in shown
        assert str(private) not in shown
        assert segment(private.to_bytes(32, "big")) not in shown


def test_nothing_that_was_asked_is_logged(
    client: Client, forge: Forge, session_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    post(client, VERIFY, {"token": forge.token})
    post(client, VERIFY, {"token": edited("sub")(forge)})
    post(client, SESSION, {"id": session_id})
    post(client, SESSION, {"id": f"9{session_id}"})
    logged = caplog.text
    for secret in (forge.signature, forge.body, session_id.partition(".")[2]):
        assert secret not in logged
