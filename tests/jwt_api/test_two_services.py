"""What does a second service need? Tokens: the public keys. Sessions: the same Redis. (F19, F24)

Everything is a process of its own here: the site under gunicorn, with a database and a Redis,
and the service that verifies on its own, as `python -m jwt_api.verifier`.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings as site_settings

from accounts.client import FlowClient, authorities
from tests.accounts.mirroring import eventually
from tests.deployment import KEEP_ALIVE
from tests.jwt_api.forging import Forge
from tests.jwt_api.issuer import jwk_of
from tests.outages import PrivateRedis, needs_redis_server

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.once,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    needs_redis_server,
]

ROOT = Path(__file__).resolve().parent.parent.parent
CLIENT = ("notes", "a-secret-of-the-notes-service-0123456789")
WANTED = {"name": "report bot", "scope": "notes:read", "expires_in": 3600}


@pytest.fixture(scope="module")
def var_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the demo's users, and the place of the signing key."""
    folder = tmp_path_factory.mktemp("site")
    with private_redis() as redis:
        for command in (["migrate", "--verbosity=0"], ["make_demo_users"]):
            subprocess.run(
                [sys.executable, "manage.py", *command],
                cwd=ROOT,
                env=environment(folder, redis.url),
                check=True,
                capture_output=True,
            )
    return folder


def environment(var_dir: Path, redis_url: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "ENV_FILE": os.devnull,
        "VAR_DIR": str(var_dir),
        "REDIS_URL": redis_url,
        "LAB": "1",
        "INTROSPECTION_CLIENTS": ":".join(CLIENT),
    }


@contextmanager
def running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A process of its own, ended by its id."""
    process = subprocess.Popen([sys.executable, *command], cwd=ROOT, text=True, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=20)
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def private_redis() -> Iterator[PrivateRedis]:
    redis = PrivateRedis(site_settings)  # type: ignore[arg-type]  # read only
    try:
        redis.start()
        yield redis
    finally:
        redis.end()


class House:
    """A site, the service beside it, and what ends them."""

    def __init__(self, var_dir: Path, stack: ExitStack) -> None:
        self.var_dir, self.stack = var_dir, stack
        self.redis = stack.enter_context(private_redis())
        self.site, self.process = self.start_site(self.redis.url)

    def start_site(self, redis_url: str) -> tuple[str, subprocess.Popen[str]]:
        """One more web server process; its URL."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        command = ["-m", "gunicorn", "authdemo.wsgi", "--bind", address, "--threads=4", KEEP_ALIVE]
        log = self.stack.enter_context((self.var_dir / "server.log").open("ab"))
        process = self.stack.enter_context(
            running(command, env=environment(self.var_dir, redis_url), stdout=log, stderr=log)
        )
        wait_for(f"http://{address}/healthz", process)
        return f"http://{address}", process

    def start_service(self, *options: str) -> str:
        """The service that verifies on its own; the URL of its notes. It is told the least."""
        command = [
            "-m",
            "jwt_api.verifier",
            "--port=0",
            f"--jwks={self.site}/.well-known/jwks.json",
            *options,
        ]
        process = self.stack.enter_context(
            running(command, env={}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        )
        assert process.stdout is not None
        told = re.search(r"http://\S+/notes/", process.stdout.readline())
        assert told
        return told[0]

    def enter(self, flow: str, site: str = "", username: str = "ada") -> FlowClient:
        client = FlowClient(site or self.site, flow)
        client.login(username, f"{username}-demo-password")
        self.stack.callback(client.http.close)
        return client

    def sign(self, token: str, **claims: Any) -> str:
        """The same token with other claims, by the site's own key."""
        forge = Forge(token)
        listed = httpx.get(f"{self.site}/.well-known/jwks.json", verify=authorities())
        published = listed.json()["keys"]
        wanted = next(jwk["x"] for jwk in published if jwk["kid"] == forge.header["kid"])
        files = (self.var_dir / "jwt-keys").rglob("*.pem")
        keys: list[Any] = [load_pem_private_key(file.read_bytes(), None) for file in files]
        key = next(key for key in keys if jwk_of("", key)["x"] == wanted)
        return jwt.encode({**forge.claims, **claims}, key, "ES256", headers=forge.header)


def wait_for(url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "it ended"
        try:
            if httpx.get(url, verify=authorities()).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail("not ready after a minute")


@pytest.fixture(scope="module")
def house(var_dir: Path) -> Iterator[House]:
    """One for all tests that leave it standing."""
    with ExitStack() as stack:
        yield House(var_dir, stack)


@pytest.fixture
def doomed(var_dir: Path) -> Iterator[House]:
    """One that may be pulled down."""
    with ExitStack() as stack:
        yield House(var_dir, stack)


def made_by(client: FlowClient, **values: str) -> str:
    answer = client.send("POST", "tokens/", {**WANTED, **values})
    assert answer.status_code == 201, answer.text
    return answer.json()["token"]


def show(url: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(url, headers=headers, verify=authorities()).status_code


def test_it_believes_the_issuers_signature_and_no_other(house: House) -> None:
    ada, notes = house.enter("jwt"), house.start_service()
    token = made_by(ada)
    forge = Forge(token)
    refresh = next(c.value for c in ada.http.cookies.jar if c.name.endswith("refresh")) or ""
    seen = {
        "good": show(notes, token),
        "another scope": show(notes, made_by(ada, scope="profile:read devices:read")),
        "a login's": show(notes, ada.token or ""),
        "a refresh token": show(notes, refresh),
        "tampered": show(notes, forge.with_signature(b"\1" * 64)),
        "expired": show(notes, house.sign(token, exp=forge.claims["iat"] - 31)),
        "wrong audience": show(notes, house.sign(token, aud="billing")),
        "wrong issuer": show(notes, house.sign(token, iss="elsewhere")),
        "unknown kid": show(notes, Forge(token).theirs({"kid": "x"}, "HS256", b"x" * 32)),
    }
    assert seen.pop("good") == 200
    assert seen.pop("another scope") == 403
    assert set(seen.values()) == {401}, seen


def test_it_goes_on_while_the_issuer_and_its_stores_are_away(doomed: House) -> None:
    """F19: nothing of the site is needed to verify, once its keys are known."""
    house = doomed
    ada, notes = house.enter("jwt"), house.start_service()
    token, later = made_by(ada), made_by(ada)
    assert show(notes, token) == 200
    house.redis.end()
    assert show(notes, later) == 200
    house.process.terminate()
    house.process.wait(timeout=20)
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{house.site}/healthz")
    assert show(notes, later) == 200
    assert show(notes, Forge(later).with_signature(b"\1" * 64)) == 401


def test_it_cannot_see_that_a_token_was_revoked(house: House) -> None:
    """The lesson: what needs no look-up learns of no revocation. Asking closes the gap."""
    ada, notes = house.enter("jwt"), house.start_service()
    token = made_by(ada, scope="notes:read profile:read")

    def is_active() -> bool:
        url = f"{house.site}/api/jwt/introspect/"
        return httpx.post(url, data={"token": token}, auth=CLIENT).json()["active"]

    assert (show(notes, token), is_active()) == (200, True)
    ada.logout_all()
    assert show(f"{house.site}/api/jwt/me/", token) == 401
    assert show(notes, token) == 200, "until it expires"
    assert is_active() is False
    past = house.sign(token, exp=Forge(token).claims["iat"] - 31)
    assert show(notes, past) == 401, "and no longer"


ENDINGS: dict[str, Callable[[FlowClient, str], object]] = {
    "logout-all": lambda ada, device: ada.logout_all(),
    "this token ended": lambda ada, device: ada.send("DELETE", f"devices/{device}/"),
    "password changed": lambda ada, device: ada.change_password(
        "ada-demo-password", "ada-demo-password"
    ),
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_with_the_sites_redis_it_hears_of_a_revocation(
    house: House, ending: Callable[[FlowClient, str], object]
) -> None:
    """What closes the gap: the denylist, pushed. A request of the service asks nobody."""
    house.redis.tell("SET", "denied:since", 1)
    notes = house.start_service(f"--redis={house.redis.url}")
    ada = house.enter("jwt")
    token, other = made_by(ada), made_by(house.enter("jwt", username="grace"))
    eventually(lambda: show(notes, token) == 200)
    ending(ada, Forge(token).claims["sid"])
    eventually(lambda: show(notes, token) == 401)
    assert show(notes, other) == 200, "grace has ended nothing"


@pytest.mark.parametrize(("when_unsure", "status"), [("refuse", 503), ("accept", 200)])
def test_while_it_cannot_know_it_does_as_it_was_told(
    doomed: House, when_unsure: str, status: int
) -> None:
    house = doomed
    house.redis.tell("SET", "denied:since", 1)
    notes = house.start_service(f"--redis={house.redis.url}", f"--when-unsure={when_unsure}")
    token = made_by(house.enter("jwt"))
    eventually(lambda: show(notes, token) == 200)
    house.redis.end()
    eventually(lambda: show(notes, token) == status)
    house.redis.start()
    house.redis.tell("FLUSHALL")
    eventually(lambda: show(notes, token) == status)


@pytest.mark.thorough
def test_a_session_works_on_another_server_only_through_the_shared_redis(doomed: House) -> None:
    """F24: the twin. What a token carries with it, a session leaves in the store."""
    house = doomed
    other, _ = house.start_site(house.redis.url)
    with private_redis() as redis_of_its_own:
        apart, _ = house.start_site(redis_of_its_own.url)
        session, token = house.enter("sessions"), house.enter("jwt")

        def status(client: FlowClient, site: str) -> int:
            copy = FlowClient(site, client.flow)
            copy.http.cookies.update(dict(client.http.cookies))
            copy.token = client.token
            try:
                return copy.send("GET", "whoami/").status_code
            finally:
                copy.http.close()

        assert status(session, other) == 200
        assert status(session, apart) == 401, "what stands in one Redis means nothing in another"
        house.redis.end()
        assert status(session, other) == 503
        assert [status(token, site) for site in (house.site, other, apart)] == [200, 200, 200]
