"""Who may know which key, and when? The key ring's files, its public half, and its renewal."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa, x448, x25519
from django.conf import settings as site_settings
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter
from pytest_django import Settings

from accounts.models import User
from jwt_api import key_files, keys, rotation
from jwt_api.checks import check_keys
from jwt_api.keys import ring
from jwt_api.signers import ALGORITHMS, thumbprint
from tests.accounts.racing import log_in, post
from tests.jwt_api.forging import Forge, visitor
from tests.log_reader import reading

pytestmark = pytest.mark.once

COOKIE = site_settings.REFRESH_COOKIE_NAME
PRIVATE_MEMBERS = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}  # RFC 7518, sections 6.2 to 6.4
PROCESSES = 8


@pytest.fixture
def directory(tmp_path: Path, settings: Settings) -> Path:
    """A key directory that does not exist yet."""
    settings.JWT_KEYS_DIR = tmp_path / "keys"
    return settings.JWT_KEYS_DIR


@pytest.fixture(params=ALGORITHMS)
def algorithm(request: pytest.FixtureRequest, settings: Settings) -> str:
    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "ALGORITHM": request.param}
    return request.param


@pytest.fixture
def client() -> Client:
    return visitor()


def jwks(client: Client) -> list[dict[str, str]]:
    return client.get("/.well-known/jwks.json").json()["keys"]


def pem(private: Any, *, password: bytes | None = None) -> bytes:
    encryption: Any = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password)
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


def put(directory: Path, name: str, content: bytes) -> None:
    """Add a key file as an operator would, and let the directory's time move on for certain."""
    directory.mkdir(exist_ok=True)
    (directory / name).write_bytes(content)
    (directory / name).chmod(0o600)
    moved_on = directory.stat().st_mtime_ns + 1_000_000
    os.utime(directory, ns=(moved_on, moved_on))


def p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def kid_of(private: Any) -> str:
    """RFC 7638, written down a second time, from the numbers of the key."""
    numbers = private.public_key().public_numbers()
    x, y = (
        base64.urlsafe_b64encode(value.to_bytes(32, "big")).rstrip(b"=").decode()
        for value in (numbers.x, numbers.y)
    )
    text = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


# --- the public half --------------------------------------------------------------------------


def test_jwks_holds_public_members_only(client: Client, directory: Path, algorithm: str) -> None:
    """R24, R25, A65"""
    members = {"ES256": {"crv", "x", "y"}, "RS256": {"n", "e"}, "EdDSA": {"crv", "x"}}[algorithm]
    for key in jwks(client):
        assert key.keys() == {"kty", "use", "alg", "kid"} | members
        assert not key.keys() & PRIVATE_MEMBERS
        assert (key["use"], key["alg"]) == ("sig", algorithm)


def test_jwks_is_for_everybody_and_for_caches(client: Client) -> None:
    """R30: asked with or without a cookie, it gives the same answer and sets nothing."""
    client.cookies["a"] = "b"
    response = client.get("/.well-known/jwks.json")
    assert response["Content-Type"] == "application/jwk-set+json"
    assert response["Cache-Control"] == "public, max-age=300"
    assert not response.cookies
    assert "Cookie" not in response.get("Vary", "")


def test_jwks_is_sent_once_and_again_when_it_has_changed(client: Client, directory: Path) -> None:
    """R30: a 304 says for how long, too; a new key makes a new ETag."""
    first = client.get("/.well-known/jwks.json")
    known = {"if-none-match": first["ETag"]}
    again = client.get("/.well-known/jwks.json", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert (again["ETag"], again["Cache-Control"]) == (first["ETag"], first["Cache-Control"])
    put(directory, "2.pem", pem(p256()))
    changed = client.get("/.well-known/jwks.json", headers=known)
    assert (changed.status_code, len(changed.json()["keys"])) == (200, 2)
    assert changed["ETag"] != first["ETag"]


def test_kid_is_the_thumbprint(directory: Path) -> None:
    """R25: any other implementation of RFC 7638 comes to the same name."""
    private = p256()
    put(directory, "1.pem", pem(private))
    assert ring().signing.kid == kid_of(private)
    assert list(ring().keys) == [kid_of(private)]


def test_thumbprint_of_the_example_in_the_rfc() -> None:
    """RFC 7638, section 3.1."""
    jwk = {
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tS"
        "oc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_F"
        "DW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQF"
        "h6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29",
    }
    assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def verify_outside(token: str, published: dict[str, Any], typ: str, audience: str) -> Any:
    """As another service would: PyJWT alone, and nothing but the JSON of the key set."""
    header = jwt.get_unverified_header(token)
    assert header["typ"] == typ
    key = jwt.PyJWKSet.from_dict(published)[header["kid"]]
    return jwt.decode(
        token,
        key.key,
        algorithms=[key.algorithm_name],
        audience=audience,
        issuer="authdemo",
        options={"require": ["exp", "iat", "jti", "sub"]},
    )


def test_every_token_is_verified_by_an_outsider(
    client: Client, ada: User, directory: Path, algorithm: str
) -> None:
    """R26: login, refresh and a refresh inside the grace, by every algorithm, end to end."""
    issued = [log_in(client, "jwt")["credential"]["token"]]
    old = client.cookies[COOKIE].value
    refresh_tokens = [old]
    for browser in (client, visitor(**{COOKIE: old})):
        issued.append(post(browser, "/api/jwt/refresh/").json()["credential"]["token"])
        refresh_tokens.append(browser.cookies[COOKIE].value)
    published = client.get("/.well-known/jwks.json").json()
    for token in issued:
        assert verify_outside(token, published, "at+jwt", "api")["sub"] == str(ada.pk)
        assert Forge(token).header["alg"] == algorithm
        assert client.get("/api/jwt/whoami/", headers={"authorization": f"Bearer {token}"}).json()
    for token in refresh_tokens:
        assert verify_outside(token, published, "rt+jwt", "authdemo")["sub"] == str(ada.pk)
        assert Forge(token).header["alg"] == algorithm


@pytest.mark.parametrize("other", ["PS256", "RS384", "RS512"])
def test_an_rsa_key_is_bound_to_one_algorithm(
    client: Client, ada: User, directory: Path, settings: Settings, other: str
) -> None:
    """R02, A13: the same key could sign by all of these, and PyJWT would verify them."""
    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "ALGORITHM": "RS256"}
    token = Forge(log_in(client, "jwt")["credential"]["token"])
    assert whoami(token.ours()) == 200
    assert whoami(token.ours({"alg": other}, algorithm=other)) == 401


def test_cookies_fit_with_the_largest_key(
    client: Client, ada: User, directory: Path, settings: Settings
) -> None:
    """R78: name and value within 4096 bytes, and the token within what we read ourselves."""
    settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "ALGORITHM": "RS256"}
    put(directory, "1.pem", pem(rsa.generate_private_key(public_exponent=65537, key_size=4096)))
    token = log_in(client, "jwt")["credential"]["token"]
    assert len(COOKIE) + len(client.cookies[COOKIE].value) <= 4096
    assert post(client, "/api/jwt/refresh/").status_code == 200
    answer = client.get("/api/jwt/whoami/", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200


# --- the files --------------------------------------------------------------------------------


def test_key_files_are_private(directory: Path, algorithm: str) -> None:
    """R20"""
    ring()
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    files = list(directory.iterdir())
    assert [file.name for file in files] == ["1.pem"], "no draft is left behind"
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600


def test_a_new_key_is_as_long_as_it_should_be(directory: Path, algorithm: str) -> None:
    """R19"""
    public: Any = ring().signing.signer.public
    sizes = {"ES256": 256, "RS256": 3072, "EdDSA": None}
    assert getattr(public, "key_size", None) == sizes[algorithm]


FIRST_USE = """
import sys
import django
from django.conf import settings
settings.configure(JWT_KEYS_DIR=__import__("pathlib").Path(sys.argv[1]),
                   JWT_SIGNING_KEY="", SIMPLE_JWT={"ALGORITHM": "ES256"})
from jwt_api.keys import ring
print("ready", flush=True)
sys.stdin.readline()
print(ring().signing.kid, *ring().keys, flush=True)
"""


def test_a_key_that_came_since_we_looked_is_the_first_one_for_us_too(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_key = keys.make_key

    def as_another_process_did(*args: Any, **options: Any) -> Path:
        make_key(*args, **options)
        return make_key(*args, **options)

    monkeypatch.setattr(keys, "make_key", as_another_process_did)
    assert list(ring().keys) == [ring().signing.kid]
    assert [file.name for file in directory.iterdir()] == ["1.pem"]


@pytest.mark.thorough
def test_processes_that_start_at_once_agree_on_one_key(directory: Path) -> None:
    """Otherwise each worker would refuse what the others have signed."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", FIRST_USE, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    said = {worker.communicate(timeout=60)[0] for worker in workers}
    assert said == {f"{ring().signing.kid} {ring().signing.kid}\n"}
    assert [file.name for file in directory.iterdir()] == ["1.pem"]


def public_pem(private: Any) -> bytes:
    return private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def certificate_of_nobody() -> bytes:
    return b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def jwk_for_encryption() -> bytes:
    return json.dumps({"kty": "oct", "k": "AAAA", "use": "enc", "alg": "A256KW"}).encode()


REFUSED: dict[str, Callable[[], bytes]] = {  # R03, R19, R27
    "garbage": lambda: b"garbage",
    "an empty file": lambda: b"",
    "bytes": lambda: bytes(range(256)),
    "half a key": lambda: pem(p256())[:120],
    "a certificate": certificate_of_nobody,
    "a public key": lambda: public_pem(p256()),
    "an encrypted key": lambda: pem(p256(), password=b"secret"),
    "a secret for HMAC": lambda: base64.b64encode(bytes(range(64))),
    "a JWK for encryption": jwk_for_encryption,
    "P-384": lambda: pem(ec.generate_private_key(ec.SECP384R1())),
    "P-521": lambda: pem(ec.generate_private_key(ec.SECP521R1())),
    "secp256k1": lambda: pem(ec.generate_private_key(ec.SECP256K1())),
    "X25519, for encryption": lambda: pem(x25519.X25519PrivateKey.generate()),
    "X448, for encryption": lambda: pem(x448.X448PrivateKey.generate()),
    "Ed448": lambda: pem(ed448.Ed448PrivateKey.generate()),
    "DSA": lambda: pem(dsa.generate_private_key(1024)),
    "a short RSA key": lambda: pem(rsa.generate_private_key(65537, 1024)),
    "RSA, a bit short": lambda: pem(rsa.generate_private_key(65537, 2047)),
}


@pytest.mark.parametrize("make", [pytest.param(row, id=name) for name, row in REFUSED.items()])
@pytest.mark.parametrize("source", ["broken.pem", "JWT_SIGNING_KEY"])
def test_a_key_that_does_not_fit_is_refused_by_its_name(
    directory: Path, settings: Settings, make: Callable[[], bytes], source: str
) -> None:  # R27
    content = make()
    if source == "broken.pem":
        put(directory, source, content)
    else:
        settings.JWT_SIGNING_KEY = base64.b64encode(content).decode() or "-"
    with pytest.raises(ImproperlyConfigured, match=rf"^{re.escape(source)} is not ") as refused:
        ring()
    # R20: no part of the key, on a debug page neither. (The first frame is this test's own.)
    told = ExceptionReporter(
        None, refused.type, refused.value, refused.tb.tb_next
    ).get_traceback_html()
    assert source in told
    lines = [*content.decode("latin-1").split(), *settings.JWT_SIGNING_KEY.split()]
    assert not any(line in told for line in lines if len(line) > 20)


def test_a_debug_page_hides_the_settings_that_are_secret(settings: Settings) -> None:
    """R20, A65: by what stands in their names."""
    settings.DEBUG = True
    settings.JWT_SIGNING_KEY, settings.HSM_TOKEN_PIN = "secret-word", "secret-number"
    shown = str(SafeExceptionReporterFilter().get_safe_settings())
    assert "JWT_SIGNING_KEY" in shown
    assert "secret-word" not in shown
    assert "secret-number" not in shown


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps no such bits")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o777])
@pytest.mark.parametrize("name", ["1.pem", "ring.json"])
def test_a_file_that_is_open_to_others_is_refused(directory: Path, name: str, mode: int) -> None:
    """R20: from the moment on in which somebody opens it."""
    ring()
    rotation.prepare("ES256")
    rotation.rotate(force=True)
    (directory / name).chmod(mode)
    with pytest.raises(ImproperlyConfigured, match=rf"^{re.escape(name)} is not private"):
        ring()
    (directory / name).chmod(0o600)
    ring()


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps no such bits")
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_a_folder_to_which_others_may_add_keys_is_refused(directory: Path, mode: int) -> None:
    """Threat: what is added is published, and whatever it signs is believed."""
    directory.mkdir()
    directory.chmod(mode)
    with pytest.raises(ImproperlyConfigured, match="keys is not private"):
        ring()


def test_a_link_that_leads_nowhere_is_refused(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    (directory / "1.pem").symlink_to(directory / "gone")
    with pytest.raises(ImproperlyConfigured, match="lead nowhere"):
        ring()


BROKEN = {
    "no JSON": "garbage",
    "a list": "[]",
    "half a file": '{"signing": "ab',
    "a word of tomorrow": '{"stolen": {}}',
    "a list of distrusted keys": '{"distrusted": ["kid"]}',
    "a time that is none": '{"distrusted": {"kid": "now"}}',
    "a number that signs": '{"signing": 1}',
}


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in BROKEN.items()])
def test_a_broken_manifest_is_refused(directory: Path, text: str) -> None:
    """Threat: read as if it said nothing, it would forget which keys are distrusted."""
    ring()
    put(directory, "ring.json", text.encode())
    with pytest.raises(ImproperlyConfigured, match=r"^ring\.json is not "):
        ring()


def test_the_system_check_names_a_key_file_that_does_not_fit(directory: Path) -> None:
    """R19: at the start, and not at somebody's first login."""
    put(directory, "1.pem", pem(p256()))
    assert check_keys() == []
    put(directory, "2.pem", pem(ec.generate_private_key(ec.SECP384R1())))
    (found,) = check_keys()
    assert (found.id, found.is_serious()) == ("jwt_api.E006", True)
    assert "2.pem" in found.msg


def test_the_system_check_makes_no_key(directory: Path) -> None:
    assert check_keys() == []
    assert not directory.exists()


def test_one_bad_file_among_good_ones_is_refused(directory: Path) -> None:
    """It would be left out silently, and what it has signed would be refused instead."""
    put(directory, "1.pem", pem(p256()))
    put(directory, "2.pem", b"garbage")
    with pytest.raises(ImproperlyConfigured, match=r"2\.pem"):
        ring()


def test_a_private_key_is_never_shown(client: Client, ada: User, directory: Path) -> None:
    """R20, A65: an error page prints the `repr` of what it finds."""
    private = p256()
    put(directory, "1.pem", pem(private))
    number = private.private_numbers().private_value
    secrets = [
        str(number),
        f"{number:x}",
        base64.urlsafe_b64encode(number.to_bytes(32, "big")).rstrip(b"=").decode(),
        pem(private).decode().splitlines()[1],
    ]
    shown = [
        repr(ring()),
        repr(ring().signing),
        str(ring().signing),
        client.get("/.well-known/jwks.json").content.decode(),
        json.dumps(log_in(client, "jwt")),
    ]
    assert not [secret for secret in secrets for text in shown if secret in text]
    assert "PrivateKey" not in repr(ring())


# --- renewal ----------------------------------------------------------------------------------


def whoami(token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return visitor().get("/api/jwt/whoami/", headers=headers).status_code


def known_everywhere(settings: Any = site_settings) -> Any:
    """A block in which the JWKS of just now is in nobody's cache any more."""
    return time_machine.travel(
        datetime.now(UTC) + timedelta(seconds=settings.JWKS_MAX_AGE_SECONDS + 1)
    )


def test_a_new_key_is_published_before_it_signs(client: Client, ada: User, directory: Path) -> None:
    """R28: publish, wait, sign, keep. No restart, and no token fails at any step."""
    before = log_in(client, "jwt")["credential"]["token"]
    first, second = ring().signing.kid, p256()
    put(directory, "2.pem", pem(second))
    while_published = post(client, "/api/jwt/refresh/").json()["credential"]["token"]
    assert {key["kid"] for key in jwks(client)} == {first, kid_of(second)}
    with known_everywhere():
        still = post(client, "/api/jwt/refresh/").json()["credential"]["token"]
        rotation.rotate()
        after = post(client, "/api/jwt/refresh/").json()["credential"]["token"]
        issued = (before, while_published, still, after)
        assert [whoami(token) for token in issued] == [200] * 4
    assert [Forge(token).header["kid"] for token in issued] == [first] * 3 + [kid_of(second)]


def test_the_issuer_asks_nobody_for_its_own_keys(
    client: Client, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R32: a JWK_URL that leads to itself would block the only worker that could answer."""
    token = log_in(client, "jwt")["credential"]["token"]
    monkeypatch.setattr(socket.socket, "connect", lambda *args: pytest.fail("a connection"))
    assert whoami(token) == 200


def test_a_new_key_signs_at_once_where_it_is_the_only_one(directory: Path, ada: User) -> None:
    """R29: the one before it was taken away in an emergency."""
    ring()
    put(directory, "2.pem", pem(p256()))
    (directory / "1.pem").unlink()
    assert whoami(log_in(visitor(), "jwt")["credential"]["token"]) == 200


def test_a_key_that_was_made_long_ago_is_published_first_all_the_same(directory: Path) -> None:
    """Threat: `cp -p` keeps the time of the content, and no verifier has seen it."""
    first = ring().signing.kid
    put(directory, "2.pem", pem(p256()))
    os.utime(directory / "2.pem", (0, 0))
    assert ring().signing.kid == first
    with pytest.raises(rotation.TooEarly):
        rotation.rotate()


def test_one_key_in_two_files_is_refused(directory: Path) -> None:
    """R27"""
    private = pem(p256())
    put(directory, "1.pem", private)
    put(directory, "2.pem", private)
    with pytest.raises(ImproperlyConfigured, match="same key"):
        ring()


def test_a_token_of_a_removed_key_is_refused_at_once(
    client: Client, ada: User, directory: Path
) -> None:
    """R29: access and refresh, without a restart."""
    before = log_in(client, "jwt")["credential"]["token"]
    put(directory, "2.pem", pem(p256()))
    assert whoami(before) == 200
    (directory / "1.pem").unlink()
    assert whoami(before) == 401
    assert post(client, "/api/jwt/refresh/").json()["code"] == "credential_invalid"
    assert len(jwks(client)) == 1


def test_a_removed_key_is_not_remembered_with_its_directory(
    client: Client, ada: User, directory: Path
) -> None:
    """R29: in an emergency somebody takes the whole directory away."""
    before = log_in(client, "jwt")["credential"]["token"]
    shutil.rmtree(directory)
    assert whoami(before) == 401
    assert directory.exists(), "a new key was made"


def test_a_key_that_is_overwritten_is_not_remembered(
    client: Client, ada: User, directory: Path
) -> None:
    """R29: `cp new.pem 1.pem` leaves the directory as it was; the file has changed."""
    before = log_in(client, "jwt")["credential"]["token"]
    ring()
    private = p256()
    (directory / "1.pem").write_bytes(pem(private))
    assert whoami(before) == 401
    assert ring().signing.kid == kid_of(private)


def test_the_tenth_key_is_newer_than_the_ninth(directory: Path) -> None:
    """Surprise: as text, 10.pem comes before 9.pem."""
    private = {number: p256() for number in (1, 2, 9, 10)}
    for number, key in private.items():
        put(directory, f"{number}.pem", pem(key))
    assert list(ring().keys) == [kid_of(private[number]) for number in (1, 2, 9, 10)]
    assert key_files.next_number(key_files.files_in(directory)) == 11


def test_every_key_has_its_own_kid(directory: Path) -> None:
    for number in range(1, 6):
        put(directory, f"{number}.pem", pem(p256()))
    assert len(ring().keys) == 5
    assert len({key["kid"] for key in ring().jwks()["keys"]}) == 5


def test_what_is_no_key_file_is_left_alone(directory: Path) -> None:
    put(directory, "1.pem", pem(p256()))
    for name in ("README", "1.pem.bak", ".2.pem.4711.abcd", "old.key"):
        put(directory, name, b"garbage")
    assert len(ring().keys) == 1


def test_the_ring_is_read_once_and_not_on_every_request(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading a PEM takes longer than verifying a signature."""
    ring()
    ring()
    monkeypatch.setattr(key_files, "read_file", lambda *args: pytest.fail("read again"))
    assert ring() is ring()


# --- what is told of it -----------------------------------------------------------------------


def test_rotation_is_logged_by_kid_alone(directory: Path) -> None:
    """R95, R20: which keys a process began with, and each that comes, signs and goes, once."""
    old, new = p256(), p256()

    def ask_twice() -> None:
        ring()
        ring()

    with reading() as log:
        put(directory, "1.pem", pem(old))
        ask_twice()
        put(directory, "2.pem", pem(new))
        ask_twice()
        with known_everywhere():
            rotation.rotate()
            ask_twice()
            (directory / "1.pem").unlink()
            ask_twice()
    told = [
        {name: line[name] for name in ("event", "kid", "kids", "signing") if name in line}
        for line in log.lines()
    ]
    assert told == [
        {"event": "signing_keys_loaded", "kids": [kid_of(old)], "signing": kid_of(old)},
        {"event": "signing_key_appeared", "kid": kid_of(new)},
        {"event": "signing_key_changed", "kid": kid_of(new)},
        {"event": "signing_key_disappeared", "kid": kid_of(old)},
    ]
    material = [
        line
        for key in (old, new)
        for line in pem(key).decode().splitlines()
        if not line.startswith("-")
    ]
    assert not [line for line in material if line in log.text]
