"""Which tokens are refused? Every check of `jwt_api.tokens`, as tables of what mallory may send.

Each row goes through both doors that read a token: the bearer header of `whoami/` and
the cookie of `refresh/`. What our own key has signed wrongly cannot come from mallory;
those rows say that no later mistake of ours becomes a 500, or a login.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from django.conf import settings as site_settings
from django.test import Client
from jwt.algorithms import get_default_algorithms
from jwt.utils import base64url_decode
from pytest_django import Settings

from accounts.contract.errors import CredentialInvalid
from accounts.models import AuthEvent, User
from jwt_api.authentication import read_access_token
from jwt_api.keys import ring
from jwt_api.models import TokenFamily
from tests.accounts.people import make
from tests.accounts.racing import log_in, post
from tests.jwt_api.forging import ABSENT, CURVE_ORDER, Forge, changed, segment, visitor

pytestmark = [pytest.mark.once, pytest.mark.django_db]

COOKIE = site_settings.REFRESH_COOKIE_NAME
Row = Callable[[Forge], str]
Named = dict[str, Row]


@dataclass
class Door:
    """Where a token is shown: as bearer, or as refresh cookie."""

    name: str
    genuine: Forge

    def show(self, token: str) -> Any:
        if self.name == "access":
            return bearer(token)
        return post(visitor(**{COOKIE: token}), "/api/jwt/refresh/")

    def assert_refuses(self, token: str, *codes: str) -> None:
        answer = self.show(token)
        assert answer.status_code == 401, (answer.status_code, answer.content[:200])
        assert answer.json()["code"] in (codes or ("credential_invalid",))
        assert COOKIE not in answer.cookies, "a refusal is no logout"
        # What opens nothing must end nothing either: anybody can make such a token.
        assert not TokenFamily.objects.exclude(ended=None).exists()
        assert not AuthEvent.objects.filter(kind=AuthEvent.Kind.REUSE).exists()

    def assert_takes(self, token: str) -> None:
        answer = self.show(token)
        assert answer.status_code == 200, answer.content[:200]


def bearer(token: str, path: str = "/api/jwt/whoami/") -> Any:
    return visitor().get(path, headers={"authorization": f"Bearer {token}"})


@pytest.fixture
def tokens(ada: User) -> dict[str, Forge]:
    """What ada holds after a login: her access token and her refresh token."""
    client = visitor()
    access = log_in(client, "jwt")["credential"]["token"]
    return {"access": Forge(access), "refresh": Forge(client.cookies[COOKIE].value)}


@pytest.fixture(params=["access", "refresh"])
def door(request: pytest.FixtureRequest, tokens: dict[str, Forge]) -> Door:
    return Door(request.param, tokens[request.param])


def rows(named: Named) -> Any:
    return pytest.mark.parametrize("forge", [pytest.param(r, id=name) for name, r in named.items()])


def test_what_the_forge_signs_unchanged_is_taken(door: Door) -> None:
    """Otherwise every refusal below could be the forge's own fault."""
    assert door.genuine.ours() != door.genuine.token
    door.assert_takes(door.genuine.ours())


# --- algorithms and keys that are not ours ----------------------------------------------------


def public_pem() -> bytes:
    return ring().signing.signer.public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def public_der() -> bytes:
    return ring().signing.signer.public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def with_hmac(secret: Callable[[], bytes], algorithm: str = "HS256", **header: Any) -> Row:
    """Signed with HMAC. PyJWT itself would refuse a PEM as the secret, so it is done by hand."""

    def forge(genuine: Forge) -> str:
        head = changed(genuine.header, {"alg": algorithm, **header})
        text = f"{segment(head)}.{genuine.body}"
        digest = algorithm.replace("HS", "sha")
        return f"{text}.{segment(hmac.digest(secret(), text.encode(), digest))}"

    return forge


def unsigned(alg: str, signature: str) -> Row:
    def forge(genuine: Forge) -> str:
        return f"{segment({**genuine.header, 'alg': alg})}.{genuine.body}.{signature}"

    return forge


def with_alg(alg: object) -> Row:
    return lambda genuine: genuine.ours({"alg": alg})


def jwk_text() -> bytes:
    return json.dumps(ring().signing.signer.jwk).encode()


# A01 to A05, A08, A11, A13, A15; R01, R02, R03
ALGORITHMS: Named = {
    **{f"alg {name}": unsigned(name, "") for name in ("none", "None", "NONE", "nOnE")},
    **{
        f"alg {name}, some signature": unsigned(name, "AA")
        for name in ("none", "None", "NONE", "nOnE")
    },
    "HMAC over the PEM": with_hmac(public_pem),
    "HMAC over the PEM without the last line feed": with_hmac(lambda: public_pem().strip()),
    "HMAC over the PEM with CRLF": with_hmac(lambda: public_pem().replace(b"\n", b"\r\n")),
    "HMAC over the DER": with_hmac(public_der),
    "HMAC over the JWK": with_hmac(jwk_text),
    "HMAC over the JWK without spaces": with_hmac(lambda: jwk_text().replace(b" ", b"")),
    "HMAC over the kid": with_hmac(lambda: ring().signing.kid.encode()),
    "HMAC over nothing": with_hmac(lambda: b""),
    "HMAC over nothing, kid /dev/null": with_hmac(lambda: b"", kid="../../../dev/null"),
    "HMAC over the PEM, no kid": with_hmac(public_pem, kid=ABSENT),
    "HMAC over SECRET_KEY": with_hmac(lambda: site_settings.SECRET_KEY.encode()),
    "HS384 over the PEM": with_hmac(public_pem, "HS384"),
    "HS512 over the PEM": with_hmac(public_pem, "HS512"),
    "RS256 under our kid": lambda g: g.theirs({}, "RS256", rsa_key()),
    "PS256 under our kid": lambda g: g.theirs({}, "PS256", rsa_key()),
    "EdDSA under our kid": lambda g: g.theirs({}, "EdDSA", ed25519.Ed25519PrivateKey.generate()),
    "ES384 under our kid": lambda g: g.theirs({}, "ES384", ec.generate_private_key(ec.SECP384R1())),
    "ES256 under our kid, another key": lambda g: g.theirs({}, "ES256", p256_key()),
    "ES256, signed on P-384": lambda g: g.signed(
        g.header, g.claims, "ES384", ec.generate_private_key(ec.SECP384R1())
    ),
    **{
        f"our own signature, alg {alg!r}": with_alg(alg)
        for alg in ("ES384", "ES256K", "RS256", "HS256", "none", "es256", "", None, ["ES256"], 256)
    },
    "our own signature, no alg": lambda g: g.ours({"alg": ABSENT}),
}


def p256_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@rows(ALGORITHMS)
def test_another_algorithm_opens_nothing(door: Door, forge: Row) -> None:
    door.assert_refuses(forge(door.genuine))


KIDS: dict[str, Callable[[str], Any]] = {  # R06; A08 to A10
    "absent": lambda kid: ABSENT,
    "unknown": lambda kid: "no-such-key",
    "empty": lambda kid: "",
    "one character short": lambda kid: kid[:-1],
    "another case": str.swapcase,
    "a NUL behind": lambda kid: kid + "\0",
    "a space behind": lambda kid: kid + " ",
    "the key's file": lambda kid: "1.pem",
    "a path": lambda kid: "../../../../dev/null",
    "a path to the key": lambda kid: str(site_settings.JWT_KEYS_DIR / "1.pem"),
    "SQL": lambda kid: "x' UNION SELECT 'AA' -- ",
    "SQL that sleeps": lambda kid: f"{kid}'; SELECT pg_sleep(10) -- ",
    "a command": lambda kid: "|sleep 10",
    "a URL": lambda kid: "http://127.0.0.1:9/key.pem",
    "10 kB": lambda kid: 10_000 * "A",
    "3 kB": lambda kid: 2_500 * "A",
    "null": lambda kid: None,
    "true": lambda kid: True,
    "a number": lambda kid: 0,
    "a list": lambda kid: [kid],
    "an object": lambda kid: {kid: kid},
}


@pytest.mark.parametrize("change", [pytest.param(c, id=name) for name, c in KIDS.items()])
def test_a_kid_is_looked_up_by_equality(door: Door, change: Callable[[str], Any]) -> None:
    """Even our own signature does not help: the key must be named, and named exactly."""
    token = door.genuine.ours({"kid": change(door.genuine.header["kid"])})
    started = time.monotonic()
    door.assert_refuses(token)
    assert time.monotonic() - started < 2, "constant work"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port of mallory's. Connections wait in its queue, whether anybody accepts them or not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.mark.parametrize("kid", ["theirs", "ours", "none"])
@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c", "all of them"])
def test_a_key_that_the_token_brings_is_not_used(
    door: Door, listener: socket.socket, member: str, kid: str
) -> None:
    """R05, A06, A07: neither tried nor fetched."""
    key = p256_key()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/keys.json"
    jwk = get_default_algorithms()["ES256"].to_jwk(key.public_key(), as_dict=True)
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    brought = {
        "jwk": {**jwk, "kid": "mallory", "use": "sig", "alg": "ES256"},
        "jku": url,
        "x5u": url,
        "x5c": [base64.b64encode(der).decode()],
    }
    header = brought if member == "all of them" else {member: brought[member]}
    kids = {"theirs": "mallory", "ours": door.genuine.header["kid"], "none": ABSENT}
    door.assert_refuses(door.genuine.theirs({**header, "kid": kids[kid]}, "ES256", key))
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_a_key_in_the_header_beside_our_own_signature_is_not_looked_at(door: Door) -> None:
    door.assert_takes(door.genuine.ours({"jku": "http://127.0.0.1:9/", "jwk": {"kty": "oct"}}))


# --- header, text, signature ------------------------------------------------------------------

HEADERS: Named = {  # R07, R14; A14, A19
    "crit x": lambda g: g.ours({"crit": ["x"], "x": 1}),
    "crit exp": lambda g: g.ours({"crit": ["exp"], "exp": 1}),
    "crit empty": lambda g: g.ours({"crit": []}),
    "crit null": lambda g: g.ours({"crit": None}),
    "crit a word": lambda g: g.ours({"crit": "typ"}),
    "crit b64": lambda g: g.ours({"crit": ["b64"], "b64": False}),
    "b64 without crit": lambda g: g.ours({"b64": False}),
    "typ JWT": lambda g: g.ours({"typ": "JWT"}),
    "typ absent": lambda g: g.ours({"typ": ABSENT}),
    "typ null": lambda g: g.ours({"typ": None}),
    "typ empty": lambda g: g.ours({"typ": ""}),
    "typ a list": lambda g: g.ours({"typ": [g.header["typ"]]}),
    "typ with a space": lambda g: g.ours({"typ": g.header["typ"] + " "}),
    "typ of another kind": lambda g: g.ours({"typ": "dpop+jwt"}),
    "a list as header": lambda g: g.ours(b"[]"),
    "null as header": lambda g: g.ours(b"null"),
    "a number as header": lambda g: g.ours(b"1"),
    "no JSON as header": lambda g: g.ours(b"{"),
    "a deep header": lambda g: g.ours(b"[" * 1500),
    "a deep typ": lambda g: g.ours({"typ": json.loads("[" * 400 + "]" * 400)}),
    "header in UTF-16": lambda g: g.ours(json.dumps(g.header).encode("utf-16")),
}


@rows(HEADERS)
def test_a_header_that_we_would_not_write_is_refused(door: Door, forge: Row) -> None:
    door.assert_refuses(forge(door.genuine))


def test_typ_in_another_case_is_the_same_media_type(door: Door) -> None:
    """RFC 9068, section 4, and RFC 2045, section 5.1."""
    door.assert_takes(door.genuine.ours({"typ": door.genuine.header["typ"].upper()}))


TEXTS: Named = {  # R08, R09
    "a padded signature": lambda g: g.token + "=",
    "a doubly padded signature": lambda g: g.token + "==",
    "a padded header": lambda g: f"{g.head}={g.token[len(g.head) :]}",
    "a space before the signature": lambda g: f"{g.head}.{g.body}. {g.signature}",
    "a tab in the header": lambda g: f"{g.token[:9]}\t{g.token[9:]}",
    "braces around it": lambda g: "{" + g.token + "}",
    "standard base64": lambda g: f"{g.head}.{g.body}.+/{g.signature[2:]}",
    "JWS as JSON": lambda g: json.dumps(
        {"protected": g.head, "payload": g.body, "signature": g.signature}, separators=(",", ":")
    ),
    "five parts, as in JWE": lambda g: f"{g.head}.{g.body}.{g.body}.{g.body}.{g.signature}",
    "no payload": lambda g: f"{g.head}..{g.signature}",
    "claims in UTF-16": lambda g: g.ours(claims=json.dumps(g.claims).encode("utf-16")),
    "claims in UTF-16 without a mark": lambda g: g.ours(
        claims=json.dumps(g.claims).encode("utf-16-le")
    ),
    "claims in UTF-16, the other end first": lambda g: g.ours(
        claims=json.dumps(g.claims).encode("utf-16-be")
    ),
    "claims in UTF-32": lambda g: g.ours(claims=json.dumps(g.claims).encode("utf-32-le")),
    "claims in Latin-1": lambda g: g.ours(
        claims=json.dumps({**g.claims, "x": "é"}, ensure_ascii=False).encode("latin-1")
    ),
    "claims are a list": lambda g: g.ours(claims=b"[]"),
    "claims are null": lambda g: g.ours(claims=b"null"),
    "claims are text": lambda g: g.ours(claims=b'"sub"'),
    "claims are no JSON": lambda g: g.ours(claims=b"{"),
    "no claims": lambda g: g.ours(claims=b"{}"),
    "deep claims": lambda g: g.ours(claims=b"[" * 1500),
    "a deep claim": lambda g: g.ours(claims={"sub": json.loads("[" * 400 + "]" * 400)}),
    "a million dots": lambda g: 1_000_000 * ".",
    "1 MB": lambda g: g.token + 1_000_000 * "A",
    "1 MB of header": lambda g: g.ours({"x": 750_000 * "A"}),
    "1 MB of claims": lambda g: g.ours(claims={"x": 750_000 * "A"}),
}


@rows(TEXTS)
def test_a_text_that_we_would_not_write_is_refused(door: Door, forge: Row) -> None:
    token = forge(door.genuine)
    started = time.monotonic()
    door.assert_refuses(token)
    assert time.monotonic() - started < 2, "A23: no work for its size"


@pytest.mark.parametrize("around", ["{}\n", "\n{}", "{} ", " {}", "{}\0", "\ufeff{}", "{}."])
def test_nothing_may_stand_around_a_token(tokens: dict[str, Forge], around: str) -> None:
    """Headers and cookies are stripped on their way; the reader does not count on it."""
    with pytest.raises(CredentialInvalid):
        read_access_token(around.format(tokens["access"].token).encode())


SIGNATURES: Named = {  # R04; A03
    "removed": lambda g: f"{g.head}.{g.body}",
    "empty": lambda g: f"{g.head}.{g.body}.",
    "truncated by a character": lambda g: g.token[:-1],
    "half": lambda g: g.token[:-43],
    "one byte more": lambda g: g.with_signature(base64url_decode(g.signature) + b"\0"),
    # CVE-2022-21449: 0 = 0 satisfied Java's verifier.
    "all zero": lambda g: g.with_signature(bytes(64)),
    "the order of the curve": lambda g: g.with_signature(CURVE_ORDER.to_bytes(32, "big") * 2),
    "in DER": lambda g: g.with_signature(
        encode_dss_signature(
            int.from_bytes(base64url_decode(g.signature)[:32], "big"),
            int.from_bytes(base64url_decode(g.signature)[32:], "big"),
        )
    ),
    "swapped halves": lambda g: g.with_signature(
        base64url_decode(g.signature)[32:] + base64url_decode(g.signature)[:32]
    ),
    "of another token": lambda g: f"{g.head}.{g.body}.{g.ours().split('.')[2]}",
    "for another user": lambda g: (
        f"{g.head}.{Forge(g.ours(claims={'sub': '1000000'})).body}.{g.signature}"
    ),
}


@rows(SIGNATURES)
def test_a_signature_that_does_not_fit_opens_nothing(door: Door, forge: Row) -> None:
    door.assert_refuses(forge(door.genuine))


def test_every_changed_bit_of_the_signature_is_noticed(tokens: dict[str, Forge]) -> None:
    genuine = tokens["access"]
    signature = base64url_decode(genuine.signature)
    read_access_token(genuine.token.encode())
    for at in range(len(signature)):
        for bit in (0x01, 0x80):
            altered = bytearray(signature)
            altered[at] ^= bit
            with pytest.raises(CredentialInvalid):
                read_access_token(genuine.with_signature(bytes(altered)).encode())


def test_the_bits_that_no_byte_holds_are_zero(tokens: dict[str, Forge]) -> None:
    """RFC 4648, section 3.5: 64 bytes leave four bits of the last character unused."""
    genuine = tokens["access"]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet[alphabet.index(genuine.token[-1]) + 1]
    with pytest.raises(CredentialInvalid):
        read_access_token((genuine.token[:-1] + last).encode())


def test_every_changed_character_before_the_signature_is_noticed(tokens: dict[str, Forge]) -> None:
    genuine = tokens["access"]
    for at in range(len(genuine.head) + 1 + len(genuine.body)):
        other = "A" if genuine.token[at] != "A" else "B"
        with pytest.raises(CredentialInvalid):
            read_access_token((genuine.token[:at] + other + genuine.token[at + 1 :]).encode())


# --- the second valid text of a token ---------------------------------------------------------


def test_a_malleated_signature_verifies(door: Door) -> None:
    """The premise of the next two: (r, n-s) is another text for the same token."""
    assert door.genuine.malleated() != door.genuine.token
    door.assert_takes(door.genuine.malleated())


def test_a_malleated_used_token_is_still_used(tokens: dict[str, Forge], settings: Settings) -> None:
    """R21, A22: a list of used *texts* would let this one through."""
    settings.GRACE_SECONDS = 0
    genuine = tokens["refresh"]
    victim = visitor(**{COOKIE: genuine.token})
    assert post(victim, "/api/jwt/refresh/").status_code == 200
    replay = post(visitor(**{COOKIE: genuine.malleated()}), "/api/jwt/refresh/")
    assert (replay.status_code, replay.json()["code"]) == (401, "credential_reused")
    assert post(victim, "/api/jwt/refresh/").json()["code"] == "credential_revoked"


def test_a_malleated_revoked_token_is_still_revoked(tokens: dict[str, Forge]) -> None:
    genuine = tokens["refresh"]
    assert post(visitor(**{COOKIE: genuine.token}), "/api/jwt/logout/").status_code == 204
    replay = post(visitor(**{COOKIE: genuine.malleated()}), "/api/jwt/refresh/")
    assert (replay.status_code, replay.json()["code"]) == (401, "credential_revoked")


# --- one kind of token in the place of the other ----------------------------------------------


@pytest.fixture
def other(door: Door, tokens: dict[str, Forge]) -> Forge:
    """The token of ada's that belongs to the other door."""
    return tokens["refresh" if door.name == "access" else "access"]


@pytest.mark.parametrize("right", [(), ("typ",), ("typ", "aud"), ("typ", "use"), ("aud", "use")])
def test_a_token_of_the_other_kind_is_refused_by_each_rule_alone(
    door: Door, other: Forge, right: tuple[str, ...]
) -> None:
    """R15, A18: typ, audience and token type exclude each other; any one of them is enough."""
    header = {"typ": door.genuine.header["typ"]} if "typ" in right else {}
    claims = {name: door.genuine.claims[name] for name in ("aud", "use") if name in right}
    door.assert_refuses(other.ours(header, claims))


def test_all_rules_satisfied_it_is_a_token_of_this_kind(door: Door, other: Forge) -> None:
    """The premise of the test before: nothing else refused those tokens."""
    # A `jti` that the family does not know as its current one would be a reuse.
    claims = {name: door.genuine.claims[name] for name in ("aud", "use", "jti")}
    door.assert_takes(other.ours({"typ": door.genuine.header["typ"]}, claims))


NO_LOGOUT: Named = {
    "signed by mallory": lambda g: g.theirs({}, "ES256", p256_key()),
    "alg none": unsigned("none", "AA"),
    "HMAC over the PEM": with_hmac(public_pem),
    "typ of an access token": lambda g: g.ours({"typ": "at+jwt"}),
    "audience of an access token": lambda g: g.ours(claims={"aud": "api"}),
    "type of an access token": lambda g: g.ours(claims={"use": "at"}),
    "no type": lambda g: g.ours(claims={"use": ABSENT}),
    "another user": lambda g: g.ours(claims={"sub": str(int(g.claims["sub"]) + 1)}),
    "another client": lambda g: g.ours(claims={"client_id": "mobile"}),
    "sub a list": lambda g: g.ours(claims={"sub": [g.claims["sub"]]}),
    "sid a list": lambda g: g.ours(claims={"sid": [g.claims["sid"]]}),
    "sid an object": lambda g: g.ours(claims={"sid": {"a": 1}}),
    "sid with a NUL": lambda g: g.ours(claims={"sid": "\0"}),
    "exp is NaN": lambda g: g.ours(claims={"exp": float("nan")}),
    "exp absent": lambda g: g.ours(claims={"exp": ABSENT}),
    "issued next year": lambda g: g.ours(claims={"iat": g.claims["iat"] + 31_536_000}),
}


@rows(NO_LOGOUT)
def test_a_forged_token_logs_nobody_out(tokens: dict[str, Forge], forge: Row) -> None:
    """Logout skips the check of the end, and no other: its answer is 204, and nothing ends."""
    client = visitor(**{COOKIE: forge(tokens["refresh"])})
    assert post(client, "/api/jwt/logout/").status_code == 204
    assert not TokenFamily.objects.exclude(ended=None).exists()


def test_an_access_token_in_the_cookie_logs_nobody_out(tokens: dict[str, Forge]) -> None:
    """Threat: access tokens are shown to other services, which could end the login by them."""
    client = visitor(**{COOKIE: tokens["access"].token})
    assert post(client, "/api/jwt/logout/").status_code == 204
    assert not TokenFamily.objects.exclude(ended=None).exists()


# --- claims -----------------------------------------------------------------------------------

Change = Callable[[Any], Any]
CLAIMS: dict[str, tuple[str, Change]] = {  # R10, R11, R16; A16, A17
    "iss: its beginning": ("iss", lambda iss: iss[:-1]),
    "iss: longer": ("iss", lambda iss: iss + "x"),
    "iss: another case": ("iss", str.upper),
    "iss: a list": ("iss", lambda iss: [iss]),
    "iss: an object": ("iss", lambda iss: {iss: iss}),
    "iss: empty": ("iss", lambda iss: ""),
    "iss: a slash more": ("iss", lambda iss: iss + "/"),
    "iss: somebody else": ("iss", lambda iss: "https://mallory.example"),
    "aud: its beginning": ("aud", lambda aud: aud[:-1]),
    "aud: longer": ("aud", lambda aud: aud + "x"),
    "aud: another case": ("aud", str.upper),
    "aud: a list of it": ("aud", lambda aud: [aud]),
    "aud: a list with it": ("aud", lambda aud: ["billing", aud]),
    "aud: empty": ("aud", lambda aud: ""),
    "aud: an empty list": ("aud", lambda aud: []),
    "aud: an object": ("aud", lambda aud: {aud: aud}),
    "aud: another service": ("aud", lambda aud: "billing"),
    "client_id: another client": ("client_id", lambda client: "mobile"),
    "client_id: another case": ("client_id", str.upper),
    "client_id: a list": ("client_id", lambda client: [client]),
    "use: another case": ("use", str.upper),
    "use: another word": ("use", lambda use: "sliding"),
    "sub: nobody, 0": ("sub", lambda sub: "0"),
    "sub: negative": ("sub", lambda sub: f"-{sub}"),
    "sub: a plus sign": ("sub", lambda sub: f"+{sub}"),
    "sub: leading zero": ("sub", lambda sub: f"0{sub}"),
    "sub: a space": ("sub", lambda sub: f" {sub}"),
    "sub: a line feed behind": ("sub", lambda sub: f"{sub}\n"),
    "sub: underscores": ("sub", lambda sub: "1_0"),
    "sub: full-width digits": ("sub", lambda sub: "\uff11"),
    "sub: Arabic digits": ("sub", lambda sub: "\u0661"),
    "sub: beyond 64 bits": ("sub", lambda sub: str(2**64)),
    "sub: a number": ("sub", int),
    "sid: a line feed behind": ("sid", lambda sid: f"{sid}\n"),
    "sid: a path": ("sid", lambda sid: "../../etc/passwd"),
    "sid: a wildcard": ("sid", lambda sid: "%%%%%%%%"),
    "jti: a path": ("jti", lambda jti: "../../etc/passwd"),
    "roles: a word": ("roles", lambda roles: "admin"),
    "roles: numbers": ("roles", lambda roles: [1]),
    "roles: lists": ("roles", lambda roles: [["admin"]]),
    "roles: an object": ("roles", lambda roles: {"admin": True}),
    **{
        f"{name}: missing": (name, lambda value: ABSENT)
        for name in ("iss", "aud", "client_id", "exp", "iat", "jti", "sub", "sid", "epoch", "use")
    },
}


@pytest.mark.parametrize(
    ("claim", "change"), [pytest.param(*row, id=name) for name, row in CLAIMS.items()]
)
def test_a_claim_that_we_would_not_write_is_refused(door: Door, claim: str, change: Change) -> None:
    door.assert_refuses(door.genuine.ours(claims={claim: change(door.genuine.claims.get(claim))}))


ILL_TYPED: dict[str, Any] = {  # R17, A21
    "a list": [1],
    "an object": {"a": 1},
    "null": None,
    "true": True,
    "a fraction": 1.5,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "-1": -1,
    "10^30": 10**30,
    "10^400": 10**400,
    "empty": "",
    "a NUL": "a\0b",
    "only a NUL": "\0",
    "a lone surrogate": "\ud800",
    "a word": "abc",
    "2 kB": 2_000 * "1",
    "100 kB": 100_000 * "1",
    "digits": "99999999999",
}
# An integer is what these are, and nothing but the user's row knows the right one.
WELL_TYPED = {
    ("epoch", "-1"),
    ("epoch", "10^30"),
    ("epoch", "10^400"),
    ("iat", "-1"),
    # Long enough and of the right alphabet: a user, a device or a token that never was.
    ("sub", "digits"),
    ("sid", "digits"),
    ("jti", "digits"),
}


@pytest.mark.parametrize(
    "claim", ["sub", "jti", "exp", "iat", "epoch", "sid", "roles", "iss", "aud", "client_id", "use"]
)
def test_an_ill_typed_claim_is_a_401(door: Door, claim: str) -> None:
    for name, value in ILL_TYPED.items():
        if (claim, name) not in WELL_TYPED:
            token = door.genuine.ours(claims={claim: value})
            door.assert_refuses(token, "credential_invalid", "credential_expired")


@pytest.mark.parametrize(("claim", "name"), sorted(WELL_TYPED))
@pytest.mark.parametrize("path", ["whoami", "me", "devices"])
def test_a_well_typed_lie_is_never_an_error_of_the_server(
    tokens: dict[str, Forge], claim: str, name: str, path: str
) -> None:
    token = tokens["access"].ours(claims={claim: ILL_TYPED[name]})
    answer = bearer(token, f"/api/jwt/{path}/")
    assert answer.status_code in (200, 401), answer.content[:200]
    if claim in ("sub", "epoch") and path != "whoami":
        assert answer.json()["code"] == "credential_revoked"


ROLES = {
    "a lone surrogate": "\ud800",
    "NUL": "a\0b",
    "2 kB": 2_000 * "a",
    "empty": "",
    "SQL": "'--",
}


@pytest.mark.parametrize("role", [pytest.param(role, id=name) for name, role in ROLES.items()])
def test_a_role_that_is_no_word_is_refused(door: Door, role: str) -> None:
    """Surprise: half of a surrogate pair is a valid JSON text, and no valid answer."""
    door.assert_refuses(door.genuine.ours(claims={"roles": [role]}))


# --- times ------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that stands, on a whole second as `iat` and `exp` do."""
    with time_machine.travel(datetime.now(UTC).replace(microsecond=0), tick=False) as traveller:
        yield traveller


def test_leeway_for_the_end_is_thirty_seconds(
    clock: time_machine.Traveller, door: Door, settings: Settings
) -> None:
    """R13: the same in PyJWT's check, SimpleJWT's and ours; at both doors."""
    end = datetime.fromtimestamp(door.genuine.claims["exp"], tz=UTC)
    clock.move_to(end + timedelta(seconds=31))
    door.assert_refuses(door.genuine.token, "credential_expired")
    clock.move_to(end + timedelta(seconds=30))
    door.assert_refuses(door.genuine.token, "credential_expired")
    clock.move_to(end + timedelta(seconds=29))
    door.assert_takes(door.genuine.token)


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_leeway_for_the_beginning_is_thirty_seconds(
    clock: time_machine.Traveller, door: Door, claim: str
) -> None:
    now = int(time.time())
    for seconds in (31, 600, 10**9):
        door.assert_refuses(door.genuine.ours(claims={claim: now + seconds}))
    door.assert_takes(door.genuine.ours(claims={claim: now + 29}))


@pytest.mark.parametrize("nbf", [[], {}, None, "soon", float("nan"), 10**400])
def test_an_ill_typed_nbf_is_a_401(door: Door, nbf: object) -> None:
    door.assert_refuses(door.genuine.ours(claims={"nbf": nbf}))


def test_an_expired_forgery_is_a_forgery(
    clock: time_machine.Traveller, door: Door, settings: Settings
) -> None:
    """`credential_expired` says "it was good": only the signature's owner hears that."""
    token = door.genuine.with_signature(secrets.token_bytes(64))
    clock.shift(settings.ABSOLUTE_SECONDS)
    door.assert_refuses(token, "credential_invalid")


def test_an_expired_token_of_the_other_kind_is_not_called_expired(
    clock: time_machine.Traveller, door: Door, other: Forge, settings: Settings
) -> None:
    clock.shift(settings.ABSOLUTE_SECONDS)
    door.assert_refuses(other.token, "credential_invalid")


# --- what stands in a token -------------------------------------------------------------------

RANDOM = ("jti", "sid")


def fixed(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name not in RANDOM}


def test_an_access_token_says_this_and_nothing_else(
    clock: time_machine.Traveller, ada: User, tokens: dict[str, Forge]
) -> None:
    """R14, R16, R18: no name, no address, nothing made of the password. Anybody can read it."""
    now = int(time.time())
    access = tokens["access"]
    assert access.header == {"alg": "ES256", "kid": ring().signing.kid, "typ": "at+jwt"}
    assert fixed(access.claims) == {
        "iss": "authdemo",
        "aud": "api",
        "sub": str(ada.pk),
        "client_id": "web",
        "iat": now,
        "exp": now + 15 * 60,
        "use": "at",
        "epoch": ada.epoch,
        "roles": [],
    }
    assert set(access.claims) - set(fixed(access.claims)) == set(RANDOM)


def test_a_refresh_token_says_this_and_nothing_else(
    clock: time_machine.Traveller, ada: User, tokens: dict[str, Forge]
) -> None:
    now = int(time.time())
    refresh = tokens["refresh"]
    assert refresh.header == {"alg": "ES256", "kid": ring().signing.kid, "typ": "rt+jwt"}
    assert fixed(refresh.claims) == {
        "iss": "authdemo",
        "aud": "authdemo",
        "sub": str(ada.pk),
        "client_id": "web",
        "iat": now,
        "exp": now + 7 * 86_400,
        "use": "rt",
        "epoch": ada.epoch,
    }
    assert refresh.claims["sid"] == tokens["access"].claims["sid"]


@pytest.mark.parametrize(
    ("changes", "roles", "size"),
    [({}, [], 182), ({"is_staff": True, "is_superuser": True}, ["staff", "admin"], 197)],
    ids=["user", "admin"],
)
def test_an_access_payload_has_so_many_bytes(
    changes: dict[str, Any], roles: list[str], size: int
) -> None:
    """Of a user whose number has one digit, and whose epoch has eight."""
    user = make("grace", pk=7, epoch=60_000_000, **changes)
    access = Forge(log_in(visitor(), "jwt", user.username)["credential"]["token"])
    assert access.claims["roles"] == roles
    assert len(base64url_decode(access.body)) == size


def test_every_token_has_its_own_128_bits(tokens: dict[str, Forge]) -> None:
    """R22"""
    client: Client = visitor(**{COOKIE: tokens["refresh"].token})
    seen = {forge.claims["jti"] for forge in tokens.values()}
    for _ in range(10):
        access = post(client, "/api/jwt/refresh/").json()["credential"]["token"]
        seen |= {Forge(text).claims["jti"] for text in (access, client.cookies[COOKIE].value)}
    assert len(seen) == 22
    assert {len(base64url_decode(jti)) for jti in seen} == {16}


def test_lifetimes_are_read_when_needed(ada: User, settings: Settings) -> None:
    """Surprise: SimpleJWT's classes and its `api_settings` keep what stood there at import."""
    settings.SIMPLE_JWT = {
        **settings.SIMPLE_JWT,
        "ACCESS_TOKEN_LIFETIME": timedelta(seconds=60),
        "REFRESH_TOKEN_LIFETIME": timedelta(seconds=600),
    }
    client = visitor()
    credential = log_in(client, "jwt")["credential"]
    access, refresh = Forge(credential["token"]), Forge(client.cookies[COOKIE].value)
    assert credential["expires_in"] == access.claims["exp"] - access.claims["iat"] == 60
    assert refresh.claims["exp"] - refresh.claims["iat"] == 600
    assert client.cookies[COOKIE]["max-age"] == 600
