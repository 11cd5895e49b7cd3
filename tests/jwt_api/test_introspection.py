"""What does a service learn that asks whether a token is still good? (RFC 7662)"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.conf import settings as site_settings
from pytest_django import Settings

from accounts.models import User
from jwt_api.models import ProgramToken, TokenFamily
from tests.accounts.racing import log_in, post
from tests.jwt_api.forging import ABSENT, Forge, visitor
from tests.jwt_api.test_programs import ENDS, Owner
from tests.outages import no_database

pytestmark = pytest.mark.django_db

URL = "/api/jwt/introspect/"
SECRET = "a-secret-of-the-notes-service-0123456789"
CLIENT, OTHER = f"notes:{SECRET}", f"billing:{SECRET[::-1]}"
INACTIVE = {"active": False}
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def clients(settings: Settings) -> None:
    settings.INTROSPECTION_CLIENTS = [OTHER, CLIENT]


@pytest.fixture
def owner(ada: User) -> Owner:
    return Owner()


def basic(pair: str) -> str:
    return f"Basic {b64encode(pair.encode()).decode()}"


def ask(token: str, authorization: str | None = None) -> Any:
    headers = {"authorization": authorization or basic(CLIENT)}
    return visitor().post(URL, {"token": token}, headers=headers)


def access_token(owner: Owner) -> str:
    return owner.bearer["authorization"].removeprefix("Bearer ")


def test_a_programs_token_is_described(owner: Owner, ada: User) -> None:
    made = owner.make("notes:read")
    answer = ask(made["token"])
    claims = Forge(made["token"]).claims
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert "no-store" in answer["Cache-Control"]
    assert answer.json() == {
        "active": True,
        "token_type": "Bearer",
        "scope": "notes:read",
        "client_id": made["id"],
        "sub": str(ada.pk),
        "aud": site_settings.JWT_PROGRAM_AUDIENCE,
        "iss": site_settings.SIMPLE_JWT["ISSUER"],
        "iat": claims["iat"],
        "exp": claims["exp"],
    }


def test_a_logins_token_has_no_scope(owner: Owner) -> None:
    told = ask(access_token(owner)).json()
    assert told["active"] is True
    assert "scope" not in told
    assert told["client_id"] == site_settings.JWT_CLIENT_ID


@pytest.mark.parametrize("end", ENDS)
def test_the_end_of_a_program_is_seen_at_once(owner: Owner, end: str) -> None:
    made = owner.make("notes:read")
    assert ask(made["token"]).json()["active"] is True
    ENDS[end](owner, made["id"])
    assert ask(made["token"]).json() == INACTIVE


LOGIN_ENDS: dict[str, Callable[[Owner], Any]] = {
    "logout": lambda owner: post(owner.client, "/api/jwt/logout/"),
    "logout-all": lambda owner: owner.post("logout-all/"),
    "device": lambda owner: owner.delete(f"devices/{owner.get('whoami/').json()['device']}/"),
    "reuse": lambda owner: TokenFamily.objects.update(ended="2026-01-01T00:00Z"),
    "password": lambda owner: ENDS["password"](owner, ""),
    "deactivation": lambda owner: ENDS["deactivation"](owner, ""),
    "deletion": lambda owner: ENDS["deletion"](owner, ""),
}


@pytest.mark.parametrize("end", LOGIN_ENDS)
def test_the_end_of_a_login_is_seen_at_once(owner: Owner, end: str) -> None:
    """The API itself takes this token until `exp`, for want of a look-up. R36"""
    token = access_token(owner)
    assert ask(token).json()["active"] is True
    LOGIN_ENDS[end](owner)
    assert visitor().get("/api/jwt/whoami/", headers=owner.bearer).status_code == 200
    assert ask(token).json() == INACTIVE


def test_rows_of_an_older_epoch_make_nothing_active(owner: Owner) -> None:
    """Rows that came back, from a backup for instance, are older than the user's epoch."""
    tokens = owner.make()["token"], access_token(owner)
    row = ProgramToken.objects.get()
    owner.post("logout-all/")
    row.save(force_insert=True)
    TokenFamily.objects.update(ended=None)
    assert [ask(token).json() for token in tokens] == [INACTIVE, INACTIVE]


@pytest.mark.django_db(transaction=True)
def test_while_the_database_is_away_nobody_is_called_inactive(owner: Owner) -> None:
    token = owner.make()["token"]
    with no_database():
        answer = ask(token)
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert answer["Retry-After"]


NO_TOKENS: dict[str, Callable[[Forge], str]] = {
    "nothing": lambda forge: "",
    "text": lambda forge: "no token",
    "NUL": lambda forge: "\0",
    "another alphabet": lambda forge: "名前" * 99,
    "long": lambda forge: "x" * 50_000,
    "tampered": lambda forge: forge.with_signature(b"x" * 64),
    "alg none": lambda forge: forge.token.rpartition(".")[0] + ".",
    "wrong audience": lambda forge: forge.ours(claims={"aud": "billing"}),
    "wrong issuer": lambda forge: forge.ours(claims={"iss": "https://evil.example"}),
    "no expiry": lambda forge: forge.ours(claims={"exp": ABSENT}),
    "expired": lambda forge: forge.ours(claims={"exp": forge.claims["iat"] - 60}),
    "an ill-typed subject": lambda forge: forge.ours(claims={"sub": {"$ne": 1}}),
}


@pytest.mark.once
@pytest.mark.parametrize("row", NO_TOKENS)
def test_of_anything_else_nothing_is_said(owner: Owner, row: str) -> None:
    answer = ask(NO_TOKENS[row](Forge(owner.make()["token"])))
    assert (answer.status_code, answer.json()) == (200, INACTIVE)


def test_a_refresh_token_is_no_business_of_a_service(owner: Owner) -> None:
    """RFC 7662, section 4: a service must not be able to try what it found in a log."""
    text = owner.client.cookies[site_settings.REFRESH_COOKIE_NAME].value
    assert ask(text).json() == INACTIVE
    assert post(owner.client, "/api/jwt/refresh/").status_code == 200


def test_it_is_inactive_after_its_end(owner: Owner) -> None:
    token = owner.make(expires_in=60)["token"]
    with time_machine.travel(Forge(token).claims["exp"] + site_settings.LEEWAY_SECONDS + 1):
        assert ask(token).json() == INACTIVE


NOBODY = {
    "no header": "",
    "no secret": basic("notes:"),
    "no name": basic(f":{SECRET}"),
    "a wrong secret": basic(f"notes:{SECRET[:-1]}"),
    "a longer secret": basic(f"{CLIENT}x"),
    "another one's secret": basic(f"billing:{SECRET}"),
    "a user": basic("ada:ada-demo-password"),
    "everybody": basic(f"{OTHER},{CLIENT}"),
    "not base64": "Basic !!!",
    "not UTF-8": f"Basic {b64encode(bytes([0xFF, 0xFE])).decode()}",
    "another alphabet": "Basic 名前",
    "only the scheme": "Basic",
    "another scheme": f"Bearer {b64encode(CLIENT.encode()).decode()}",
}


@pytest.mark.once
@pytest.mark.parametrize("row", NOBODY)
def test_nobody_else_is_told_anything(owner: Owner, row: str) -> None:
    token = owner.make()["token"]
    answer = ask(token, NOBODY[row] or "None")
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})
    assert answer["WWW-Authenticate"].startswith("Basic realm=")


def test_without_clients_nobody_may_ask(owner: Owner, settings: Settings) -> None:
    settings.INTROSPECTION_CLIENTS = []
    assert ask(access_token(owner), basic(":")).status_code == 401
    assert ask(access_token(owner)).status_code == 401


def test_a_users_credential_asks_nothing(owner: Owner) -> None:
    answer = owner.client.post(URL, {"token": access_token(owner)}, headers=owner.bearer)
    assert answer.status_code == 401


def test_the_clients_secret_opens_nothing_else(owner: Owner) -> None:  # R73
    for path in ("/api/jwt/me/", "/api/sessions/me/", "/api/jwt/tokens/"):
        answer = visitor().get(path, headers={"authorization": basic(CLIENT)})
        assert answer.status_code == 401


def test_a_stranger_cannot_use_up_what_a_service_needs(owner: Owner, settings: Settings) -> None:
    """Neither its own attempts, nor the login limits of the network that both come from."""
    settings.LOGIN_LIMIT_NETWORK = 3
    token = owner.make()["token"]
    for _ in range(20):
        assert ask(token, basic("notes:wrong")).status_code == 401
    assert ask(token).json()["active"] is True
    log_in(visitor(), "jwt")


MALFORMED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", FORM),
    "another name": (b"access_token=x", FORM),
    "twice": (b"token=x&token=y", FORM),
    "JSON": (b'{"token": "x"}', "application/json"),
    "no type": (b"token=x", ""),
    "broken parts": (b"--x", "multipart/form-data; boundary=x"),
    "not UTF-8": (b"other=%ff%fe", FORM),
    "an unknown charset": (b"tokens=x", f"{FORM}; charset=utf-99"),
    "large": (b"x=" + b"x" * 70_000, FORM),
}


@pytest.mark.once
@pytest.mark.parametrize("row", MALFORMED)
def test_a_request_that_cannot_be_read_is_refused(db: None, row: str) -> None:
    body, kind = MALFORMED[row]
    headers = {"authorization": basic(CLIENT)}
    answer = visitor().generic("POST", URL, body, content_type=kind, headers=headers)
    assert answer.status_code in (400, 413)
    assert answer["Content-Type"] == "application/json"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_a_token_in_the_url_is_not_read(owner: Owner, method: str) -> None:
    """RFC 7662, section 2.1: URLs stand in logs."""
    path = f"{URL}?token={access_token(owner)}"
    headers = {"authorization": basic(CLIENT)}
    answer = visitor().generic(method, path, headers=headers)
    assert (answer.status_code, answer["Allow"]) == (405, "POST")
    assert visitor().generic("POST", path, headers=headers).status_code == 400


def test_nothing_asked_stands_in_the_log(
    owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:  # R94
    token = owner.make()["token"]
    ask(token)
    ask(token, basic("notes:wrong-secret"))
    assert "invalid_client" in caplog.text
    for secret in (*token.split("."), SECRET, "wrong-secret", basic("notes:wrong-secret")[6:]):
        assert secret not in caplog.text
