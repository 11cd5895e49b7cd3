"""Is each weak variant weak in what it says, whole in everything else, and a danger to nobody?"""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest
from django.test import Client
from django.test.client import Client as Browser
from jwt.algorithms import ECAlgorithm
from jwt.utils import base64url_decode, base64url_encode
from pytest_django import Settings

from accounts.contract.registry import flows
from accounts.models import User
from jwt_api.models import TokenFamily
from lab.strategies import STRATEGIES, strategy
from lab.weakened import WEAKENED, Weakened
from lab.weakened.of_tokens import public_key_text

pytestmark = [pytest.mark.django_db, pytest.mark.once]

KEYS = [row.key for row in WEAKENED]
SOUND = {flow.key: f"/api/{flow.key}" for flow in flows()} | {
    row.key: f"/lab/strategies/{row.key}" for row in STRATEGIES
}
EVERYTHING = SOUND | {key: f"/lab/weakened/{key}" for key in KEYS}


def bearer(token: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} if token else {}


def post(client: Client, path: str, headers: dict[str, str] | None = None, **body: str) -> Any:
    return client.post(path, body, content_type="application/json", headers=headers)


def log_in(path: str, user: str = "ada") -> tuple[Client, dict[str, str]]:
    """A browser that is logged in there, and the header that its scripts send."""
    client = Browser()
    answer = post(client, f"{path}/login/", username=user, password=f"{user}-demo-password")
    assert answer.status_code == 200, answer.content
    return client, bearer(answer.json()["credential"]["token"])


def secrets_of(client: Client, headers: dict[str, str]) -> set[str]:
    cookies = {cookie.value for name, cookie in client.cookies.items() if "known" not in name}
    return {*cookies, *(value.removeprefix("Bearer ") for value in headers.values())}


# --- the table ------------------------------------------------------------------------------


@pytest.mark.parametrize("row", WEAKENED, ids=lambda row: row.key)
def test_a_row_says_what_was_taken_out_of_what(row: Weakened) -> None:
    assert row.flow.key == row.key
    assert strategy(row.sound).variant_of == row.variant_of
    assert not strategy(row.sound).weak
    for text in (row.removed, row.weak, row.each_request, row.lives_after):
        assert text.endswith(".")


def test_no_weak_variant_is_a_strategy() -> None:
    assert not {row.key for row in STRATEGIES} & set(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_without_the_lab_there_is_none(client: Client, settings: Settings, key: str) -> None:
    assert not settings.LAB
    answer = client.post(f"/lab/weakened/{key}/login/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("key", KEYS)
def test_it_answers_the_contract(lab: None, ada: User, key: str) -> None:
    there = f"/lab/weakened/{key}"
    client, held = log_in(there)
    device = client.get(f"{there}/whoami/", headers=held).json()["device"]
    listed = client.get(f"{there}/devices/", headers=held).json()
    assert [(each["id"], each["current"]) for each in listed] == [(device, True)]
    token = post(client, f"{there}/refresh/").json()["credential"]["token"]
    assert client.get(f"{there}/me/", headers=bearer(token)).json()["username"] == "ada"
    assert post(client, f"{there}/logout/").status_code == 204
    assert post(client, f"{there}/refresh/").status_code == 401
    assert client.get(f"{there}/me/").status_code == 401


# --- each keeps to itself -------------------------------------------------------------------


def opened_by(secrets: set[str], path: str, cookies: set[str]) -> list[str]:
    """The calls of `path` that one of the secrets opens, in any cookie and in the header."""
    opened = []
    for secret in secrets:
        thief = Client()
        for name in cookies:
            thief.cookies[name] = secret
        for held in ({}, bearer(secret)):
            if thief.get(f"{path}/whoami/", headers=held).status_code != 401:
                opened.append("whoami")
        if post(thief, f"{path}/refresh/").status_code != 401:
            opened.append("refresh")
    return opened


@pytest.mark.thorough
def test_no_credential_of_a_weak_variant_opens_anything_else_and_none_opens_it(
    lab: None, ada: User
) -> None:
    """Threat: what can be stolen, forged or planted on purpose must be worth nothing elsewhere."""
    logins = {key: log_in(path) for key, path in EVERYTHING.items()}
    secrets = {key: secrets_of(*login) for key, login in logins.items()}
    names = {name for client, _ in logins.values() for name in client.cookies}
    for key in KEYS:
        assert opened_by(secrets[key], EVERYTHING[key], names), "the test could not notice"
        for other, path in EVERYTHING.items():
            if other != key:
                assert opened_by(secrets[key], path, names) == [], f"{key} opens {other}"
                assert opened_by(secrets[other], EVERYTHING[key], names) == [], f"{other}: {key}"


@pytest.mark.parametrize("key", KEYS)
def test_who_is_logged_in_everywhere_else_is_nobody_here(lab: None, ada: User, key: str) -> None:
    """Every cookie under its own name, as a browser has them, and none of this variant's."""
    client = Browser()
    for path in SOUND.values():
        post(client, f"{path}/login/", username="ada", password="ada-demo-password")
    assert client.cookies["__Host-refresh"].value
    assert client.get(f"/lab/weakened/{key}/whoami/").status_code == 401
    assert post(client, f"/lab/weakened/{key}/refresh/").json()["code"] == "not_authenticated"


# --- and each has what it lacks -------------------------------------------------------------


def forged(client: Client) -> Client:
    """The same browser, with a request that a page of another site made."""
    other = Client(enforce_csrf_checks=True)
    other.cookies = client.cookies
    return other


@pytest.mark.parametrize("row", WEAKENED, ids=lambda row: row.key)
def test_only_those_without_a_csrf_check_do_what_another_page_asks(
    lab: None, ada: User, row: Weakened
) -> None:
    there = f"/lab/weakened/{row.key}"
    client, _ = log_in(there)
    # A form without fields: no parser ever looks at it.
    answer = forged(client).post(f"{there}/logout/", "", "application/x-www-form-urlencoded")
    assert answer.status_code == (403 if row.checks_csrf else 204)


@pytest.mark.parametrize("row", WEAKENED, ids=lambda row: row.key)
def test_only_those_that_take_any_body_take_a_form_for_json(
    lab: None, mallory: User, row: Weakened
) -> None:
    body = json.dumps({"username": "mallory", "password": "mallory-demo-password"})
    path = f"/lab/weakened/{row.key}/login/"
    answer = Client().post(path, body, content_type="text/plain")
    assert answer.status_code == (200 if row.takes_any_body else 415)


@pytest.mark.parametrize("row", WEAKENED, ids=lambda row: row.key)
def test_its_cookies_are_as_strict_as_it_says(lab: None, ada: User, row: Weakened) -> None:
    client, _ = log_in(f"/lab/weakened/{row.key}")
    own = [cookie for name, cookie in client.cookies.items() if row.key in name]
    default = {"sessions": "Lax", "jwt": "Strict"}[row.variant_of]
    wanted = "None" if "samesite-none" in row.key else default
    assert own
    for cookie in own:
        assert (cookie["samesite"], cookie["httponly"], cookie["secure"]) == (wanted, True, True)


@pytest.mark.parametrize("key", ["session-fixation", "session-no-csrf"])
def test_only_one_keeps_an_id_that_was_planted(lab: None, ada: User, key: str) -> None:
    there, cookie = f"/lab/weakened/{key}", f"__Host-{key}"
    planted = f"{ada.pk}.{'p' * 43}"
    client = Client()
    client.cookies[cookie] = planted
    post(client, f"{there}/login/", username="ada", password="ada-demo-password")
    thief = Client()
    thief.cookies[cookie] = planted
    assert (thief.get(f"{there}/me/").status_code == 200) == (key == "session-fixation")


def test_without_rotation_a_copy_goes_on_beside_the_original(lab: None, ada: User) -> None:
    there = "/lab/weakened/jwt-no-rotation"
    client, _ = log_in(there)
    thief = Client()
    thief.cookies["__Host-jwt-no-rotation"] = client.cookies["__Host-jwt-no-rotation"].value
    for browser in (thief, client, thief, client):
        assert post(browser, f"{there}/refresh/").status_code == 200
    assert TokenFamily.objects.get().ended is None


def test_without_a_type_check_a_refresh_token_opens_what_an_access_token_does(
    lab: None, ada: User
) -> None:
    for key in ("jwt-no-type-check", "jwt-no-rotation"):
        client, _ = log_in(f"/lab/weakened/{key}")
        held = bearer(client.cookies[f"__Host-{key}"].value)
        answer = Client().get(f"/lab/weakened/{key}/me/", headers=held)
        assert (answer.status_code == 200) == (key == "jwt-no-type-check")


def rewritten(token: str, user: User, algorithm: str, secret: bytes | None = None) -> str:
    """A token of somebody's, with another `sub` and another algorithm."""
    claims = json.loads(base64url_decode(token.split(".")[1])) | {"sub": str(user.pk)}
    parts = [{"alg": algorithm, "typ": "at+jwt"}, claims]
    signed = b".".join(base64url_encode(json.dumps(part).encode()) for part in parts)
    signature = hmac.digest(secret, signed, "sha256") if secret else b""
    return b".".join([signed, base64url_encode(signature)]).decode()


@pytest.mark.parametrize(("algorithm", "key"), [("none", None), ("HS256", public_key_text)])
def test_with_any_algorithm_anybody_is_anybody_who_has_entered_it(
    lab: None, ada: User, grace: User, mallory: User, algorithm: str, key: Any
) -> None:
    """Threat: a forged request is one as a real user. Grace never came here, and is safe."""
    for path in ("jwt-open-algorithms", "jwt-no-type-check"):
        there = f"/lab/weakened/{path}"
        log_in(there, "ada")
        _, held = log_in(there, "mallory")
        for victim in (ada, grace):
            token = held["authorization"].removeprefix("Bearer ")
            forgery = rewritten(token, victim, algorithm, key() if key else None)
            answer = Client().get(f"{there}/whoami/", headers=bearer(forgery))
            hit = path == "jwt-open-algorithms" and victim == ada
            assert answer.status_code == (200 if hit else 401)
            if hit:
                assert answer.json()["id"] == ada.pk


def test_the_public_key_is_the_one_that_is_published(lab: None, client: Client) -> None:
    published = client.get("/.well-known/jwks.json").json()["keys"][0]
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    assert load_pem_public_key(public_key_text()) == ECAlgorithm.from_jwk(json.dumps(published))
