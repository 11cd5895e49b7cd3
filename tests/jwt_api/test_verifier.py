"""Whom does a service believe that has nothing but the issuer's public keys? (F19, R31, A64)

The issuer is a real HTTP server that misbehaves on demand; the service runs in this process.
`test_two_services.py` starts both as what they are.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from accounts.snapshots import CHANGING
from jwt_api.verifier.__main__ import arguments
from jwt_api.verifier.app import NotesService
from jwt_api.verifier.denylist import is_outdated
from jwt_api.verifier.keys import KeysUnavailable, KnownKeys, usable_keys
from jwt_api.verifier.tokens import LEEWAY_SECONDS, Unsure, Verifier
from tests.jwt_api.forging import ABSENT, Forge, changed
from tests.jwt_api.issuer import AUDIENCE, ISSUER, Issuer, jwk_of, running_issuer

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent


class Clock:
    """A clock that only goes forward, when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as issuer:
        yield issuer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(issuer: Issuer, clock: Clock) -> KnownKeys:
    return KnownKeys(issuer.url, max_age=300, cooldown=30, keep=86400, clock=clock)


@pytest.fixture
def service(keys: KnownKeys) -> Iterator[httpx.Client]:
    app = NotesService(Verifier(keys, ISSUER, AUDIENCE))
    transport = httpx.WSGITransport(app=app)
    with httpx.Client(transport=transport, base_url="http://notes") as client:
        yield client


def show(service: httpx.Client, token: str) -> httpx.Response:
    return service.get("/notes/", headers={"Authorization": f"Bearer {token}"})


def assert_refused(answer: httpx.Response, status: int, error: str) -> None:
    """RFC 6750, section 3."""
    assert (answer.status_code, answer.json()) == (status, {"error": error})
    assert f'error="{error}"' in answer.headers["www-authenticate"]
    assert answer.headers["cache-control"] == "no-store"


# --- tokens -----------------------------------------------------------------------------------


def test_a_good_token_opens_the_notes(service: httpx.Client, issuer: Issuer) -> None:
    answer = show(service, issuer.token())
    assert answer.status_code == 200
    assert answer.json().keys() == {"reader", "program", "notes"}
    assert (answer.json()["reader"], issuer.reads) == ("7", 1)
    show(service, issuer.token())
    assert issuer.reads == 1


@pytest.mark.parametrize("scope", ["", "profile:read", "notes", "notes:read:all", "NOTES:READ"])
def test_another_scope_is_not_enough(service: httpx.Client, issuer: Issuer, scope: str) -> None:
    answer = show(service, issuer.token(scope=scope))
    assert_refused(answer, 403, "insufficient_scope")
    assert 'scope="notes:read"' in answer.headers["www-authenticate"]


def pem(issuer: Issuer) -> bytes:
    public = issuer.key.public_key()
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def own_key() -> tuple[Any, dict[str, Any]]:
    key = ec.generate_private_key(ec.SECP256R1())
    return key, jwk_of("k1", key)


def with_own_jwk(issuer: Issuer, forge: Forge) -> str:
    key, jwk = own_key()
    return forge.theirs({"jwk": jwk}, "ES256", key)


def with_header(**header: Any) -> Callable[[Issuer, Forge], str]:
    return lambda issuer, forge: forge.signed(
        changed(forge.header, header), forge.claims, "ES256", issuer.key
    )


def with_claims(**claims: Any) -> Callable[[Issuer, Forge], str]:
    return lambda issuer, forge: forge.signed(
        forge.header, changed(forge.claims, claims), "ES256", issuer.key
    )


NOT_GOOD: dict[str, Callable[[Issuer, Forge], str]] = {
    "no token": lambda issuer, forge: "x",
    "tampered claims": lambda issuer, forge: forge.token.replace(forge.body, forge.body[::-1]),
    "tampered signature": lambda issuer, forge: forge.with_signature(b"\1" * 64),
    "no signature": lambda issuer, forge: f"{forge.head}.{forge.body}.",
    "padded": lambda issuer, forge: forge.token + "=",
    "long": lambda issuer, forge: forge.token + "A" * 4096,
    "signed by mallory": lambda issuer, forge: forge.theirs({}, "ES256", own_key()[0]),
    "mallory's key in the header": with_own_jwk,
    "alg none": with_header(alg="none"),
    "the public key as a secret": lambda issuer, forge: forge.theirs({}, "HS256", pem(issuer)),
    "another algorithm for the key": with_header(alg="ES384"),
    "an unknown extension": with_header(crit=["x"], x=1),
    "unknown kid": with_header(kid="k2"),
    "no kid": with_header(kid=ABSENT),
    "a list as kid": with_header(kid=["k1"]),
    "a path as kid": with_header(kid="../../dev/null"),
    "a refresh token": with_header(typ="rt+jwt"),
    "plain JWT": with_header(typ="JWT"),
    "no typ": with_header(typ=ABSENT),
    "wrong audience": with_claims(aud="api"),  # A17
    "several audiences": with_claims(aud=["programs", "api"]),
    "no audience": with_claims(aud=ABSENT),
    "wrong issuer": with_claims(iss="authdem"),
    "no issuer": with_claims(iss=ABSENT),
    "expired": with_claims(exp=1_700_000_000),
    "without end": with_claims(exp=ABSENT),
    "text as end": with_claims(exp="tomorrow"),
    "issued in the future": with_claims(iat=9_999_999_999, exp=9_999_999_999),
    "not yet good": with_claims(nbf=9_999_999_999),
    "nobody": with_claims(sub=ABSENT),
    "a list as subject": with_claims(sub=["7"]),
    "NUL as subject": with_claims(sub="7\0"),
    "no client": with_claims(client_id=ABSENT),
    "no jti": with_claims(jti=ABSENT),
    "a list as scope": with_claims(scope=["notes:read"]),
    "null as scope": with_claims(scope=None),
}


@pytest.mark.parametrize("row", NOT_GOOD)
def test_what_is_no_good_token_is_refused(service: httpx.Client, issuer: Issuer, row: str) -> None:
    show(service, issuer.token())
    answer = show(service, NOT_GOOD[row](issuer, Forge(issuer.token())))
    assert_refused(answer, 401, "invalid_token")


@pytest.mark.parametrize(("late", "status"), [(-5, 200), (5, 401)])
def test_the_leeway_is_that_of_the_issuer(
    service: httpx.Client, issuer: Issuer, late: int, status: int
) -> None:
    """R13: 30 seconds, here as there."""
    token = issuer.token()
    end = Forge(token).claims["exp"]
    expired = {"exp": int(Forge(token).claims["iat"]) - LEEWAY_SECONDS - late}
    text = Forge(token).signed(
        Forge(token).header, {**Forge(token).claims, **expired}, "ES256", issuer.key
    )
    assert end > expired["exp"]
    assert show(service, text).status_code == status


HEADERS = {
    "none": (None, 401, "no_token"),
    "another scheme": ("Basic eDp5", 401, "no_token"),
    "no token": ("Bearer", 400, "invalid_request"),
    "two": ("Bearer a b", 400, "invalid_request"),
}


@pytest.mark.parametrize("row", HEADERS)
def test_how_a_token_does_not_come(service: httpx.Client, row: str) -> None:
    header, status, error = HEADERS[row]
    answer = service.get("/notes/", headers={"Authorization": header} if header else {})
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["www-authenticate"].startswith('Bearer realm="notes"')
    assert ("error=" in answer.headers["www-authenticate"]) == (status == 400)


def test_a_token_in_the_url_is_not_read(service: httpx.Client, issuer: Issuer) -> None:
    assert service.get("/notes/", params={"access_token": issuer.token()}).status_code == 401


def test_there_is_one_resource_and_one_way_to_ask(service: httpx.Client, issuer: Issuer) -> None:
    headers = {"Authorization": f"Bearer {issuer.token()}"}
    assert service.get("/", headers=headers).status_code == 404
    assert service.head("/notes/", headers=headers).content == b""
    answer = service.post("/notes/", headers=headers)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


# --- keys -------------------------------------------------------------------------------------


def test_a_thousand_unknown_kids_are_one_request_to_the_issuer(
    keys: KnownKeys, issuer: Issuer, clock: Clock
) -> None:
    """A64"""
    assert keys.find("k1")
    clock.now += 31
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(keys.find, (f"unknown-{number}" for number in range(1000))))
    assert found == [None] * 1000
    assert issuer.reads == 2
    assert keys.find("k1")


def test_they_are_one_request_also_while_the_issuer_fails(
    keys: KnownKeys, issuer: Issuer, clock: Clock
) -> None:
    """A64: PyJWT's client counts its cool-down from the last success, and would ask each time."""
    assert keys.find("k1")
    clock.now += 31
    issuer.status = 500
    assert [keys.find(f"unknown-{number}") for number in range(1000)] == [None] * 1000
    assert issuer.reads == 2
    assert keys.find("k1")


def test_a_new_key_is_learnt_after_the_cooldown(
    keys: KnownKeys, issuer: Issuer, clock: Clock
) -> None:
    assert keys.find("k1")
    issuer.keys.append(jwk_of("k2", own_key()[0]))
    assert keys.find("k2") is None
    clock.now += 31
    assert keys.find("k2")


def test_a_withdrawn_key_is_forgotten_when_its_time_is_over(
    keys: KnownKeys, issuer: Issuer, clock: Clock
) -> None:
    """R29: within the JWKS's max-age."""
    assert keys.find("k1")
    issuer.keys = [jwk_of("k2", own_key()[0])]
    clock.now += 299
    assert keys.find("k1")
    clock.now += 2
    assert keys.find("k1") is None
    assert keys.find("k2")


def garbage(body: bytes) -> Callable[[Issuer], None]:
    def apply(issuer: Issuer) -> None:
        issuer.body = body

    return apply


def redirect(issuer: Issuer) -> None:
    issuer.status, issuer.headers = 302, {"Location": issuer.url}


def fail(issuer: Issuer) -> None:
    issuer.status = 500


def jwks(*members: dict[str, Any]) -> bytes:
    return json.dumps({"keys": members}).encode()


PRIVATE_KEY = ec.generate_private_key(ec.SECP256R1())
EVIL = jwk_of("k1", PRIVATE_KEY)
MOODS: dict[str, Callable[[Issuer], None]] = {
    "500": fail,
    "a redirect": redirect,
    "HTML": garbage(b"<html>Down for maintenance</html>"),
    "half of it": garbage(b'{"keys": [{"kty"'),
    "no UTF-8": garbage(b"\xff\xfe\xff"),
    "a list": garbage(b"[]"),
    "null": garbage(b"null"),
    "nothing": garbage(b" "),
    "no keys": garbage(b'{"keys": []}'),
    "keys that are none": garbage(b'{"keys": [1, null, "k1"]}'),
    "one object": garbage(b'{"keys": {}}'),
    "deep": garbage(b"[" * 60_000),
    "endless": garbage(b" " * 70_000),
    "a name twice": garbage(jwks(EVIL, EVIL)),
    "a broken key": garbage(jwks({**EVIL, "x": "!!!"})),
    "a point off the curve": garbage(jwks({**EVIL, "x": EVIL["y"]})),
}


@pytest.mark.parametrize("mood", MOODS)
def test_the_last_good_keys_are_kept(
    keys: KnownKeys, issuer: Issuer, clock: Clock, mood: str
) -> None:
    """R31, A64"""
    key = keys.find("k1")
    MOODS[mood](issuer)
    for _ in range(3):
        clock.now += 301
        assert keys.find("k1") is key
    assert issuer.reads == 4
    issuer.status, issuer.body = 200, b""
    clock.now += 301
    assert keys.find("k1") is not key


def test_why_it_is_not_pyjwts_own_client(issuer: Issuer) -> None:
    """R31: what that one does while the issuer is away, and no more; a reason to look again."""
    forgetful = jwt.PyJWKClient(issuer.url, lifespan=1e-9)
    insistent = jwt.PyJWKClient(issuer.url, cooldown_duration=1e-9)
    for client in (forgetful, insistent):
        assert client.get_signing_key("k1")
    fail(issuer)
    with pytest.raises(jwt.PyJWKClientError):
        forgetful.get_signing_key("k1")
    issuer.reads = 0
    for number in range(5):
        with pytest.raises(jwt.PyJWKClientError):
            insistent.get_signing_key(f"unknown-{number}")
    assert issuer.reads == 5


def test_they_are_kept_while_nobody_answers(clock: Clock) -> None:
    with running_issuer() as issuer:
        keys = KnownKeys(issuer.url, clock=clock)
        key = keys.find("k1")
    clock.now += 3600
    assert keys.find("k1") is key


def test_they_are_not_kept_for_ever(keys: KnownKeys, issuer: Issuer, clock: Clock) -> None:
    """Threat: who keeps us from the issuer would keep alive a key that it has withdrawn."""
    keys.find("k1")
    fail(issuer)
    clock.now += 86401
    with pytest.raises(KeysUnavailable):
        keys.find("k1")


def test_before_the_first_keys_nobody_can_tell(service: httpx.Client, issuer: Issuer) -> None:
    fail(issuer)
    answer = show(service, issuer.token())
    assert (answer.status_code, answer.json()) == (503, {"error": "keys_unavailable"})
    assert int(answer.headers["retry-after"]) > 0


RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
UNUSABLE: dict[str, dict[str, Any]] = {
    "symmetric": {"kty": "oct", "k": "c2VjcmV0", "alg": "HS256", "kid": "k", "use": "sig"},
    "for encryption": jwk_of("k", PRIVATE_KEY, use="enc"),
    "not to verify": jwk_of("k", PRIVATE_KEY, key_ops=["sign"]),
    "private": jwk_of("k", PRIVATE_KEY, d="AAAA"),
    "nameless": {name: value for name, value in EVIL.items() if name != "kid"},
    "a number as name": {**EVIL, "kid": 7},
    "for another algorithm": jwk_of("k", PRIVATE_KEY, alg="RS256"),
    "on another curve": jwk_of("k", ec.generate_private_key(ec.SECP384R1()), "ES384", alg="ES256"),
    "for no algorithm": {name: value for name, value in EVIL.items() if name != "alg"},
    "short": jwk_of("k", rsa.generate_private_key(65537, 1024), "RS256"),
}


@pytest.mark.parametrize("row", UNUSABLE)
def test_which_keys_verify_nothing(row: str) -> None:  # R27
    with pytest.raises(ValueError, match="no usable key"):
        usable_keys({"keys": [UNUSABLE[row]]})


KEYS = {
    "ES256": PRIVATE_KEY,
    "RS256": RSA_KEY,
    "EdDSA": ed25519.Ed25519PrivateKey.generate(),
}


@pytest.mark.parametrize("algorithm", KEYS)
def test_each_algorithm_of_the_issuer_is_understood(
    service: httpx.Client, issuer: Issuer, algorithm: str
) -> None:
    key = KEYS[algorithm]
    issuer.keys = [jwk_of("k", key, algorithm)]
    forge = Forge(issuer.token())
    headers = {"kid": "k", "typ": "at+jwt"}
    text = jwt.encode(forge.claims, key, algorithm=algorithm, headers=headers)  # type: ignore[arg-type]
    assert show(service, text).status_code == 200


# --- the process ------------------------------------------------------------------------------


def test_it_needs_nothing_of_the_site() -> None:
    """No Django, no Redis, no settings: it could stand in another repository."""
    say = "import sys, jwt_api.verifier.__main__; print(*sorted(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", say], cwd=ROOT, env={}, capture_output=True, text=True, check=True
    )
    loaded = run.stdout.split()
    foreign = {"django", "redis", "django_redis", "rest_framework", "authdemo", "accounts"}
    assert foreign.isdisjoint(name.partition(".")[0] for name in loaded)
    assert {name for name in loaded if name.startswith("jwt_api")} == {
        "jwt_api",
        *(f"jwt_api.verifier{part}" for part in ("", ".__main__", ".app", ".keys", ".tokens")),
    }


@pytest.mark.parametrize(
    "url",
    ["http://issuer.example/jwks", "file:///etc/passwd", "ftp://127.0.0.1/x", "jwks.json", ""],
)
def test_keys_come_over_https_or_from_this_machine(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        arguments(["--jwks", url])
    assert "neither https:// nor on this machine" in capsys.readouterr().err
    for good in ("https://issuer.example/jwks", "http://localhost/jwks", "http://[::1]:1/jwks"):
        assert arguments(["--jwks", good]).jwks == good


# --- what the denylist says of a user -------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "outdated"),
    [(b"7", False), (b"7 staff superuser", False), (b"8", True), (b"7 inactive", True)],
)
def test_a_token_is_outdated_where_the_epoch_is_another_or_the_user_inactive(
    row: bytes, outdated: bool
) -> None:
    assert is_outdated(row, {"epoch": 7}) is outdated


@pytest.mark.parametrize("row", [CHANGING, b"", b"\xff", b'{"epoch": 7}', b"9" * 10_000])
def test_a_row_that_says_nothing_leaves_the_service_unsure(row: bytes) -> None:
    with pytest.raises(Unsure):
        is_outdated(row, {"epoch": 7})
