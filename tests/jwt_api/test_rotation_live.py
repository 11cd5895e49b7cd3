"""Is no good token refused while the key is renewed? Asked of real processes, under steady load."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import jwt
import pytest
from django.conf import settings as site_settings
from django.core.management import CommandError, call_command
from pytest_django import Settings

from accounts.client import FlowClient, authorities
from jwt_api import rotation
from jwt_api.keys import State, ring
from jwt_api.management.commands.keys import TOO_EARLY
from tests.deployment import Deployment, deployed
from tests.jwt_api.forging import Forge
from tests.softhsm import PIN, make_token, module

pytestmark = [pytest.mark.thorough, pytest.mark.slow, pytest.mark.once, pytest.mark.timeout(300)]

# Lives that are over within seconds, so that a rotation is.
MAX_AGE, LIFETIME, LEEWAY = 2, 3, 1


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    short = {
        "JWKS_MAX_AGE_SECONDS": str(MAX_AGE),
        "ACCESS_SECONDS": str(LIFETIME),
        "REFRESH_IDLE_SECONDS": str(LIFETIME),
        "PROGRAM_TOKEN_SECONDS": str(LIFETIME),
        "LEEWAY_SECONDS": str(LEEWAY),
    }
    folder = tmp_path_factory.mktemp("rotation")
    with deployed(folder, **short, **hsm_settings(folder)) as deployment:
        yield deployment


def hsm_settings(folder: Path) -> dict[str, str]:
    if (library := module()) is None:
        return {}
    configuration = str(make_token(folder))
    return {"SOFTHSM2_CONF": configuration, "HSM_MODULE": str(library), "HSM_TOKEN_PIN": PIN}


@dataclass
class Verifier:
    """A service elsewhere: it fetches the JWKS when its copy is too old, and only then."""

    url: str
    fetched: float = -MAX_AGE
    keys: jwt.PyJWKSet = field(default_factory=lambda: jwt.PyJWKSet([{"kty": "oct", "k": "AA"}]))

    def why_not(self, token: str) -> str:
        """Why it refuses a token; empty if it does not."""
        if time.monotonic() - self.fetched >= MAX_AGE:
            asked = time.monotonic()
            self.keys = jwt.PyJWKSet.from_dict(
                httpx.get(f"{self.url}/.well-known/jwks.json", verify=authorities()).json()
            )
            self.fetched = asked
        try:
            key = self.keys[jwt.get_unverified_header(token)["kid"]]
            jwt.decode(token, key.key, algorithms=[key.algorithm_name], audience="api")
        except (KeyError, jwt.PyJWTError) as error:
            return f"elsewhere: {error!r}"
        return ""


@dataclass
class Visitor:
    """Somebody who refreshes every `pause` seconds, and shows every token until it is over."""

    url: str
    pause: float
    client: FlowClient
    answers: int = 0
    refused: list[str] = field(default_factory=list)
    signed_by: set[str] = field(default_factory=set)

    def live_until(self, done: Event) -> Visitor:
        verifier = Verifier(self.url)
        tokens = [str(self.client.token)]
        while not done.is_set():
            pause_ends = time.monotonic() + self.pause
            while time.monotonic() < pause_ends:
                for token in tokens:
                    self.show(token, verifier)
                time.sleep(0.1)
            self.refresh()
            tokens = [*tokens, str(self.client.token)][-3:]
        self.client.http.close()
        return self

    def show(self, token: str, verifier: Verifier) -> None:
        self.signed_by.add(Forge(token).header["kid"])
        bearer = {"Authorization": f"Bearer {token}"}
        answer = self.client.send("GET", "whoami/", headers=bearer)
        self.count(token, "" if answer.status_code == 200 else f"whoami: {answer.text}")
        self.count(token, verifier.why_not(token))

    def refresh(self) -> None:
        token = self.client.http.cookies.get(site_settings.REFRESH_COOKIE_NAME)
        if token is None:  # its time was over meanwhile: a busy machine is slow
            self.client.login("ada", "ada-demo-password")
            return
        answer = self.client.send("POST", "refresh/")
        self.count(token, "" if answer.status_code == 200 else f"refresh: {answer.text}")
        if answer.status_code != 200:
            self.client.login("ada", "ada-demo-password")

    def count(self, token: str, refusal: str) -> None:
        """A token whose time was over meanwhile was rightly refused: a busy machine is slow."""
        if Forge(token).claims["exp"] > time.time():
            self.answers += 1
            self.refused += [refusal] if refusal else []


@pytest.fixture
def operator(site: Deployment, settings: Settings) -> Deployment:
    """Somebody at the keys of the site, with its settings, who types faster than a program starts.

    Else it would start later than the step may be done, and a wait left out would show nowhere.
    """
    settings.JWT_KEYS_DIR = Path(site.environment["VAR_DIR"]) / "jwt-keys"
    settings.JWKS_MAX_AGE_SECONDS = MAX_AGE
    settings.PROGRAM_TOKEN_SECONDS = LIFETIME
    lifetime, leeway = timedelta(seconds=LIFETIME), timedelta(seconds=LEEWAY)
    settings.SIMPLE_JWT = {
        **settings.SIMPLE_JWT,
        "ACCESS_TOKEN_LIFETIME": lifetime,
        "REFRESH_TOKEN_LIFETIME": lifetime,
        "LEEWAY": leeway,
    }
    return site


def rotate_once(*options: str) -> None:
    call_command("keys", "prepare", *options)
    as_soon_as_it_may("rotate")
    while rotation.in_state(ring(), State.RETIRED):  # those of the test before as well
        as_soon_as_it_may("retire")


def as_soon_as_it_may(step: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            call_command("keys", step)
        except CommandError as error:
            if error.returncode != TOO_EARLY:
                raise
            time.sleep(0.02)
        else:
            return
    pytest.fail(f"it was too early to {step} for a minute")


@pytest.mark.parametrize(
    "seconds", [pytest.param(0, id="one"), pytest.param(30, marks=pytest.mark.thorough, id="30 s")]
)
def test_no_good_token_is_refused_while_keys_come_and_go(
    operator: Deployment, seconds: int
) -> None:
    """R28: publish, sign, retire; those who refresh often, and those who wait to the last."""
    done = Event()
    visitors = []
    for pause in (0.2, 0.5, 1.5, LIFETIME - 0.8):
        client = FlowClient(operator.url, "jwt")
        # A server hangs up on an idle connection, on a busy machine just as the next request comes.
        client.http.headers["Connection"] = "close"
        client.login("ada", "ada-demo-password")
        visitors.append(Visitor(operator.url, pause, client))
    with ThreadPoolExecutor(len(visitors)) as pool:
        lives = [pool.submit(visitor.live_until, done) for visitor in visitors]
        try:
            time.sleep(MAX_AGE / 2)  # by now every verifier holds a copy of the keys
            ends = time.monotonic() + seconds
            rotations = 0
            while not rotations or time.monotonic() < ends:
                rotate_once("--algorithm", ("EdDSA", "RS256", "ES256")[rotations % 3])
                rotations += 1
        finally:
            done.set()
        lived = [life.result() for life in lives]
    assert [refused for visitor in lived for refused in visitor.refused] == []
    assert sum(visitor.answers for visitor in lived) > 50
    assert len(set[str]().union(*(visitor.signed_by for visitor in lived))) == rotations + 1


def test_a_distrusted_key_is_refused_by_every_worker_at_once(site: Deployment) -> None:
    """R29: of fifty requests right after the command, on fresh connections, none gets in."""
    client = FlowClient(site.url, "jwt")
    token = client.login("grace", "grace-demo-password")["credential"]["token"]
    listed = site.manage("keys", "list").stdout
    (stolen,) = re.findall(r"^(\S+) +active", listed, flags=re.MULTILINE)
    headers = {"Authorization": f"Bearer {token}"}

    def ask(_: int) -> Any:
        return httpx.get(f"{site.url}/api/jwt/whoami/", headers=headers, verify=authorities())

    site.manage("keys", "distrust", stolen)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(50)))
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {
        (401, "credential_invalid")
    }
    client.login("grace", "grace-demo-password")
    assert client.whoami()
    client.http.close()


@pytest.mark.thorough
@pytest.mark.skipif(module() is None, reason="no SoftHSM: apt-get install softhsm2")
def test_every_worker_signs_by_the_hsm(site: Deployment) -> None:
    """Its library is opened after the fork, and asked by several threads at once."""
    site.manage("keys", "prepare", "--hsm")
    site.manage("keys", "rotate", "--force")
    listed = site.manage("keys", "list").stdout
    (kid,) = re.findall(r"^(\S+) +active +ES256 +\d+\.pkcs11", listed, flags=re.MULTILINE)

    def log_in(_: int) -> str:
        visitor = FlowClient(site.url, "jwt")
        token = visitor.login("ada", "ada-demo-password")["credential"]["token"]
        with closing(visitor.http):
            assert visitor.whoami()
        return Forge(token).header["kid"]

    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(log_in, range(30))) == {kid}
