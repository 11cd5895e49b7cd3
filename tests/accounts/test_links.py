"""Which e-mailed links open nothing? Forged, cut, over, of another kind; each in words."""

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from django.conf import settings as site_settings
from django.test import Client
from django.utils.html import escape
from jwt.algorithms import HMACAlgorithm
from jwt.utils import base64url_encode
from pytest_django import Settings

from accounts import links
from accounts.links import EXPIRED, INVALID, OTHER_KIND, LinkRefused
from accounts.models import User
from tests.accounts.mailing import ADDRESS, PASSWORD
from tests.accounts.racing import browser, log_in
from tests.jwt_api.forging import ABSENT, changed, segment

pytestmark = pytest.mark.django_db

OURS = {"typ": "link+jwt", "alg": "HS256"}


def genuine(purpose: str = "signup") -> str:
    return links.make(purpose, subject=ADDRESS, email=ADDRESS)


def forged(
    header: dict[str, Any] | None = None,
    claims: dict[str, Any] | bytes | None = None,
    *,
    key: bytes | None = None,
    hash_name: str = "SHA256",
) -> str:
    """A genuine link with changes, by the key that links are really signed with."""
    body = jwt.decode(genuine(), options={"verify_signature": False})
    content = claims if isinstance(claims, bytes) else changed(body, claims or {})
    text = f"{segment(changed(OURS, header or {}))}.{segment(content)}"
    secret = links._key(site_settings.SECRET_KEY) if key is None else key
    signature = HMACAlgorithm(getattr(HMACAlgorithm, hash_name)).sign(text.encode(), secret)
    return f"{text}.{base64url_encode(signature).decode()}"


def without_signature() -> str:
    head, body, _ = forged({"alg": "none"}).split(".")
    return f"{head}.{body}."


def with_claims_of_another() -> str:
    head, _, signature = genuine().split(".")
    other = links.make("signup", subject="mallory@example.org", email="mallory@example.org")
    return f"{head}.{other.split('.')[1]}.{signature}"


def access_token() -> str:
    User.objects.create_user("ada", password="ada-demo-password")
    return log_in(browser(), "jwt")["credential"]["token"]


def soon() -> int:
    return int(time.time()) + 3600


REFUSED: dict[str, tuple[Callable[[], str], str]] = {
    "nothing": (lambda: "", INVALID),
    "no token": (lambda: "hello", INVALID),
    "a NUL": (lambda: genuine() + "\0", INVALID),
    "cut": (lambda: genuine()[:-1], INVALID),
    "a character more": (lambda: genuine() + "A", INVALID),
    "padded": (lambda: genuine() + "=", INVALID),
    "a space before": (lambda: " " + genuine(), INVALID),
    "a line break behind": (lambda: genuine() + "\n", INVALID),
    "two megabytes": (lambda: "a." + "b" * 2_000 + ".c", INVALID),
    "another one's claims": (with_claims_of_another, INVALID),
    "no signature": (without_signature, INVALID),
    "no algorithm": (lambda: forged({"alg": "none"}), INVALID),
    "another hash by our key": (lambda: forged({"alg": "HS512"}, hash_name="SHA512"), INVALID),
    "an empty key": (lambda: forged(key=b""), INVALID),
    "SECRET_KEY itself": (lambda: forged(key=site_settings.SECRET_KEY.encode()), INVALID),
    "another site's key": (lambda: forged(key=links._key("x" * 50)), INVALID),
    "typ JWT": (lambda: forged({"typ": "JWT"}), INVALID),
    "no typ": (lambda: forged({"typ": ABSENT}), INVALID),
    "typ of an access token": (lambda: forged({"typ": "at+jwt"}), INVALID),
    "an extension to be understood": (lambda: forged({"crit": ["x"], "x": 1}), INVALID),
    "a key of its own": (lambda: forged({"jwk": {"kty": "oct", "k": "AA"}}), INVALID),
    "another issuer": (lambda: forged(claims={"iss": "https://evil.example"}), INVALID),
    "no issuer": (lambda: forged(claims={"iss": ABSENT}), INVALID),
    "no audience": (lambda: forged(claims={"aud": ABSENT}), INVALID),
    "two audiences": (lambda: forged(claims={"aud": ["signup-link", "reset-link"]}), OTHER_KIND),
    "no end": (lambda: forged(claims={"exp": ABSENT}), INVALID),
    "an end in words": (lambda: forged(claims={"exp": "never"}), INVALID),
    "an end with a point": (lambda: forged(claims={"exp": soon() + 0.5}), INVALID),
    "an end beyond time": (lambda: forged(claims={"exp": 10**20}), INVALID),
    "no time of issue": (lambda: forged(claims={"iat": ABSENT}), INVALID),
    "issued tomorrow": (lambda: forged(claims={"iat": soon()}), INVALID),
    "no subject": (lambda: forged(claims={"sub": ABSENT}), INVALID),
    "a number for a subject": (lambda: forged(claims={"sub": 1}), INVALID),
    "a list for a subject": (lambda: forged(claims={"sub": [ADDRESS]}), INVALID),
    "no jti": (lambda: forged(claims={"jti": ABSENT}), INVALID),
    "an address that is none": (lambda: forged(claims={"email": None}), INVALID),
    "a claim more": (lambda: forged(claims={"is_staff": True}), INVALID),
    "claims that are a list": (lambda: forged(claims=b"[]"), INVALID),
    "claims that are no JSON": (lambda: forged(claims=b"{"), INVALID),
    "UTF-16": (lambda: forged(claims='{"sub": "x"}'.encode("utf-16")), INVALID),
    "an access token": (access_token, INVALID),
    "over": (lambda: forged(claims={"exp": int(time.time()) - 31}), EXPIRED),
    "a link for a new password": (lambda: genuine("reset"), OTHER_KIND),
    "a link for a new address": (lambda: genuine("email"), OTHER_KIND),
}


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_link_is_refused_in_words(client: Client, name: str, method: str) -> None:
    """F18: and changes nothing, and says where a good one comes from."""
    make, sentence = REFUSED[name]
    values = {"token": make(), "new_password": PASSWORD}
    before = User.objects.count()
    answer = getattr(client, method)("/sessions/signup/link/", values)
    page = answer.content.decode()
    assert (answer.status_code, escape(sentence) in page) == (400, True)
    assert 'href="/sessions/signup/">Ask for a new one</a>' in page
    assert User.objects.count() == before


def test_the_forge_makes_good_links_too() -> None:
    """The table can fail: without a change its links are taken."""
    assert links.read("signup", forged()).subject == ADDRESS
    assert links.read("signup", forged(claims={"exp": int(time.time()) - 20})).email == ADDRESS


def test_a_link_lasts_as_long_as_the_settings_say(settings: Settings) -> None:
    assert site_settings.LINK_SECONDS == {"signup": 86400, "reset": 3600, "email": 86400}
    settings.LINK_SECONDS = {"signup": 7}
    claims = jwt.decode(genuine(), options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 7


def test_each_link_is_one_of_a_kind() -> None:
    names = {jwt.decode(genuine(), options={"verify_signature": False})["jti"] for _ in range(50)}
    assert len(names) == 50
    assert min(map(len, names)) >= 22, "128 bits"


def test_a_link_goes_on_while_the_secret_key_is_changed(settings: Settings) -> None:
    old, text = settings.SECRET_KEY, genuine()
    settings.SECRET_KEY = "y" * 50
    with pytest.raises(LinkRefused):
        links.read("signup", text)
    settings.SECRET_KEY_FALLBACKS = [old]
    assert links.read("signup", text).subject == ADDRESS


def test_a_link_is_no_access_token(client: Client) -> None:
    for text in (genuine(), genuine("reset"), forged({"typ": "at+jwt"})):
        bearer = {"Authorization": f"Bearer {text}"}
        assert client.get("/api/jwt/whoami/", headers=bearer).status_code == 401
