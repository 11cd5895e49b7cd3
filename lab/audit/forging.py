"""Who can make a token that is believed? Each way to forge one that has ever worked somewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.utils import base64url_decode, base64url_encode

from accounts.client import authorities
from jwt_api.signers import ALGORITHMS
from lab.audit.point import Found, check
from lab.audit.scene import Scene, said

FLOW = "jwt"
ASKED = "GET /api/jwt/whoami/ with Authorization: Bearer"
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
SPELLINGS = ("none", "None", "NONE", "nOnE")


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token; no key is needed to read them."""
    header, claims, _ = token.split(".")
    return json.loads(base64url_decode(header)), json.loads(base64url_decode(claims))


def segment(part: dict[str, Any]) -> str:
    return base64url_encode(json.dumps(part, separators=(",", ":")).encode()).decode()


def presented(scene: Scene, token: str) -> str:
    """What `whoami` answers to a token, without any cookie."""
    client = scene.client(FLOW)
    client.token = token
    return said(client.send("GET", "whoami/"))


def all_refused(asked: str, answers: dict[str, str]) -> Found:
    refused = all(answer.startswith("401") for answer in answers.values())
    return Found(refused, asked, ", ".join(f"{name}: {said}" for name, said in answers.items()))


def published_keys(scene: Scene) -> list[dict[str, Any]]:
    answer = httpx.get(
        f"{scene.url}/.well-known/jwks.json",
        headers=scene.headers | scene.over_https,
        timeout=10,
        verify=authorities(),
    )
    keys: list[dict[str, Any]] = answer.raise_for_status().json()["keys"]
    return keys


@check(
    "Tokens are signed by a private key whose public half is published, and say what they are.",
    "Every service that can verify a token can make one (HS256), or takes one kind for another.",
)
def tokens_are_signed(scene: Scene) -> Found:
    header, _ = parts(scene.standing(FLOW).token)
    kids = {key.get("kid") for key in published_keys(scene)}
    is_right = (
        header.get("alg") in ALGORITHMS
        and header.get("typ") == "at+jwt"
        and header.get("kid") in kids
    )
    answer = f"alg {header.get('alg')}, typ {header.get('typ')}, kid "
    answer += "in the JWKS" if header.get("kid") in kids else "not in the JWKS"
    return Found(is_right, "the header of an access token", answer)


@check(
    "A token without a signature is refused (`alg: none`, in any spelling).",
    "Anybody writes themselves a token for anybody.",
)
def unsigned_is_refused(scene: Scene) -> Found:
    header, claims = parts(scene.standing(FLOW).token)
    forged = {name: f"{segment({**header, 'alg': name})}.{segment(claims)}." for name in SPELLINGS}
    # With a signature of sorts as well: the empty one may be refused as no token's text.
    forged |= {f"{name}, signed": f"{token}AAAA" for name, token in forged.items()}
    return all_refused(ASKED, {name: presented(scene, token) for name, token in forged.items()})


@check(
    "A public key is never taken for an HMAC secret (HS256).",
    "Anybody who reads the published key writes themselves a token for anybody.",
)
def confusion_is_refused(scene: Scene) -> Found:
    header, claims = parts(scene.standing(FLOW).token)
    key = next(key for key in published_keys(scene) if key["kid"] == header["kid"])
    answers = {}
    for name, secret in forms_of(key):
        signed = f"{segment({**header, 'alg': 'HS256'})}.{segment(claims)}"
        mac = jwt.get_algorithm_by_name("HS256").sign(signed.encode(), secret)
        answers[name] = presented(scene, f"{signed}.{base64url_encode(mac).decode()}")
    return all_refused(f"{ASKED}, HS256 over the public key", answers)


def forms_of(key: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """A public key in the forms in which a library may hold it."""
    key = {name: value for name, value in key.items() if name not in PRIVATE}
    public: Any = jwt.PyJWK(key).key
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    pem = public.public_bytes(serialization.Encoding.PEM, info)
    yield "PEM", pem
    yield "PEM, no newline", pem.strip()
    yield "DER", public.public_bytes(serialization.Encoding.DER, info)
    yield "JWK", json.dumps(key).encode()


@check(
    "A key that the token itself brings (`jwk`) verifies nothing.",
    "Anybody makes a key pair, and is believed.",
)
def own_key_is_refused(scene: Scene) -> Found:
    header, claims = parts(scene.standing(FLOW).token)
    own = ec.generate_private_key(ec.SECP256R1())
    jwk = jwt.get_algorithm_by_name("ES256").to_jwk(own.public_key(), as_dict=True)
    forged = jwt.encode(claims, own, "ES256", {**header, "alg": "ES256", "jwk": jwk})
    return all_refused(f"{ASKED}, signed by a key of our own", {"jwk": presented(scene, forged)})


@check(
    "A token whose claims were changed is refused.",
    "Anybody writes `admin` into their own token.",
)
def changed_claims_are_refused(scene: Scene) -> Found:
    token = scene.standing(FLOW).token
    header, _, signature = token.split(".")
    _, claims = parts(token)
    changed = f"{header}.{segment({**claims, 'roles': ['admin']})}.{signature}"
    return all_refused(ASKED, {"roles changed": presented(scene, changed)})


@check(
    "The published keys have no private part.",
    "Whoever fetches them can sign tokens for anybody, for every service that trusts them.",
)
def only_public_keys(scene: Scene) -> Found:
    keys = published_keys(scene)
    private = sorted({member for key in keys for member in PRIVATE & key.keys()})
    answer = f"{len(keys)} keys; private members: {', '.join(private) or 'none'}"
    return Found(bool(keys) and not private, "GET /.well-known/jwks.json", answer)


ALGORITHM = (
    tokens_are_signed,
    unsigned_is_refused,
    confusion_is_refused,
    own_key_is_refused,
    changed_claims_are_refused,
    only_public_keys,
)
