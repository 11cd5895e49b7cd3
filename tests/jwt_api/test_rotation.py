"""Does a key come, sign and go without a good token being refused, and at once when it must?"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings as site_settings
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from jwt_api import rotation
from jwt_api.key_files import files_in
from jwt_api.keys import State, make_key, ring
from jwt_api.management.commands.keys import TOO_EARLY
from jwt_api.signers import ALGORITHMS, new_private_key
from tests.accounts.racing import at_once, log_in, post
from tests.jwt_api.forging import Forge, visitor

pytestmark = [pytest.mark.once, pytest.mark.django_db]

ROOT = Path(__file__).resolve().parent.parent.parent
COOKIE = site_settings.REFRESH_COOKIE_NAME
TEN_MINUTES = timedelta(minutes=10)


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, settings: Settings) -> Path:
    """A key directory that does not exist yet."""
    settings.JWT_KEYS_DIR = tmp_path / "keys"
    return settings.JWT_KEYS_DIR


@pytest.fixture
def client(ada: User) -> Client:
    """Ada's browser, logged in."""
    browser = visitor()
    log_in(browser, "jwt")
    return browser


def keys(*words: str, capsys: pytest.CaptureFixture[str]) -> str:
    call_command("keys", *words)
    return capsys.readouterr().out


def refusal(*words: str) -> tuple[str, int]:
    """What the command says instead of doing it, and its exit code."""
    with pytest.raises(CommandError) as refused:
        call_command("keys", *words)
    return str(refused.value), refused.value.returncode


def states() -> list[str]:
    found = ring()
    return [
        *(str(key.state) for key in found.keys.values()),
        *("distrusted" for _ in found.distrusted),
    ]


def later(**duration: float) -> Any:
    return time_machine.travel(datetime.now(UTC) + timedelta(**duration))


def a_new_token(client: Client) -> str:
    return post(client, "/api/jwt/refresh/").json()["credential"]["token"]


def whoami(token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return visitor().get("/api/jwt/whoami/", headers=headers).status_code


# --- the life of a key ------------------------------------------------------------------------


def test_a_key_is_next_then_active_then_retired_then_gone(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """R28: each step is told in words, with the time of the next one."""
    first = ring().signing.kid
    assert "signs" in keys("list", capsys=capsys)
    said = keys("prepare", capsys=capsys)
    (second,) = (kid for kid in ring().keys if kid != first)
    assert second in said
    assert "Run `keys rotate` after" in said
    assert states() == ["active", "next"]
    assert "verifies; may sign after" in keys("list", capsys=capsys)
    with later(seconds=site_settings.JWKS_MAX_AGE_SECONDS + 1):
        assert "verifies; may sign\n" in re.sub(" +\n", "\n", keys("list", capsys=capsys))
        said = keys("rotate", capsys=capsys)
        assert f"{second} signs from now on. {first} still verifies" in said
        assert states() == ["retired", "active"]
        assert "verifies; needed until" in keys("list", capsys=capsys)
    with later(days=31):
        assert "may be retired" in keys("list", capsys=capsys)
        assert f"Dropped {first}" in keys("retire", capsys=capsys)
        assert "There is no retired key." in keys("retire", capsys=capsys)
    assert states() == ["active"]
    assert list(ring().keys) == [second]


def test_rotate_waits_until_every_verifier_knows_the_key(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """R28: the one second before counts; what is forced is told."""
    keys("prepare", capsys=capsys)
    first = ring().signing.kid
    with later(seconds=site_settings.JWKS_MAX_AGE_SECONDS - 1):
        said, code = refusal("rotate")
    assert (code, ring().signing.kid) == (TOO_EARLY, first)
    assert re.search(r"Not before \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC\.", said)
    assert "--force" in said
    assert "services that hold an older JWKS refuse" in keys("rotate", "--force", capsys=capsys)
    assert ring().signing.kid != first


def test_a_retired_key_stays_for_the_longest_token_that_it_signed(
    client: Client, settings: Settings
) -> None:
    """R28: a refresh token of the last second is still good when its time is almost over."""
    rotation.prepare("ES256")
    cookie = client.cookies[COOKIE].value
    rotation.rotate(force=True)
    (retired,) = rotation.in_state(ring(), State.RETIRED)
    end = Forge(cookie).claims["exp"] + settings.LEEWAY_SECONDS
    with time_machine.travel(end - 2):
        said, code = refusal("retire")
        assert code == TOO_EARLY
        assert "has signed tokens that are good" in said
        assert post(visitor(**{COOKIE: cookie}), "/api/jwt/refresh/").status_code == 200
    assert retired.until >= end


@pytest.mark.parametrize(
    ("lifetimes", "seconds"),
    [
        pytest.param((3600, 86400, 900, 60), 3630, id="refresh"),
        pytest.param((86400, 3600, 900, 60), 3630, id="absolute"),
        pytest.param((60, 86400, 900, 60), 930, id="access"),
        pytest.param((60, 86400, 900, 3600), 3630, id="program"),
    ],
)
def test_the_longest_token_is_found(
    settings: Settings, lifetimes: tuple[int, int, int, int], seconds: int
) -> None:
    """R28: of the flow's own tokens, and of those that users make for programs."""
    refresh, settings.ABSOLUTE_SECONDS, access, settings.PROGRAM_TOKEN_SECONDS = lifetimes
    settings.SIMPLE_JWT = {
        **settings.SIMPLE_JWT,
        "REFRESH_TOKEN_LIFETIME": timedelta(seconds=refresh),
        "ACCESS_TOKEN_LIFETIME": timedelta(seconds=access),
    }
    assert rotation.longest_token_seconds() == seconds


def test_the_ring_goes_from_one_algorithm_to_another(client: Client) -> None:
    """R02, A15: keys of all three verify side by side, each by its own algorithm only."""
    tokens = [a_new_token(client)]
    for algorithm in ("RS256", "EdDSA"):
        rotation.prepare(algorithm)
        rotation.rotate(force=True)
        tokens.append(a_new_token(client))
    forges = [Forge(token) for token in tokens]
    assert tuple(forge.header["alg"] for forge in forges) == ALGORITHMS
    assert [whoami(token) for token in tokens] == [200] * 3
    assert [key["alg"] for key in ring().jwks()["keys"]] == list(ALGORITHMS)
    signers: dict[str, Any] = {key.signer.algorithm: key.signer for key in ring().keys.values()}
    for signed_by in ALGORITHMS:
        for named in set(ALGORITHMS) - {signed_by}:
            for alg in (signed_by, named):
                head = {**forges[0].header, "kid": signers[named].kid, "alg": alg}
                token = forges[0].signed(
                    head, forges[0].claims, signed_by, signers[signed_by].private
                )
                assert whoami(token) == 401, (signed_by, named, alg)


def nothing_prepared() -> None:
    pass


def prepared() -> None:
    rotation.prepare("ES256")


REFUSED: dict[str, tuple[Callable[[], Any], tuple[str, ...], str]] = {
    "rotate to nothing": (nothing_prepared, ("rotate",), "Run `keys prepare` first."),
    "prepare twice": (prepared, ("prepare",), "is prepared already. Rotate to it, or distrust it."),
    "distrust what is not there": (nothing_prepared, ("distrust", "x"), "`keys list` names them."),
    "another algorithm in an HSM": (
        nothing_prepared,
        ("prepare", "--hsm", "--algorithm", "RS256"),
        "Leave out --algorithm.",
    ),
}


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in REFUSED.items()])
def test_a_refusal_says_what_to_do(row: Any) -> None:
    before, words, hint = row
    ring()
    before()
    was = states()
    said, code = refusal(*words)
    assert (code, states()) == (1, was)
    assert said.endswith(hint)


def test_a_broken_key_file_is_named_and_no_traceback(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    (directory / "1.pem").touch(0o600)
    said, code = refusal("list")
    assert (said, code) == ("1.pem is not an unencrypted PEM private key.", 1)


def test_commands_that_run_at_once_take_turns() -> None:
    """Two keys that were prepared together would both wait, and only one be meant."""

    def try_to_prepare() -> bool:
        try:
            rotation.prepare("RS256")  # takes long enough for the others to come in between
        except rotation.Refused:
            return False
        return True

    ring()
    assert sorted(at_once([try_to_prepare] * 8)) == [False] * 7 + [True]
    assert states() == ["active", "next"]


# --- emergencies ------------------------------------------------------------------------------


def test_what_a_distrusted_key_signed_is_refused_at_once(
    client: Client, capsys: pytest.CaptureFixture[str], directory: Path
) -> None:
    """R29: access and refresh tokens, in the process that runs and by a command beside it."""
    stolen, token = ring().signing.kid, a_new_token(client)
    assert whoami(token) == 200
    said = subprocess.run(
        [sys.executable, "-c", DISTRUST, str(directory), stolen],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert f"{stolen} is distrusted" in said
    assert "within 300 seconds by services that verify on their own" in said
    assert whoami(token) == 401
    assert post(client, "/api/jwt/refresh/").json()["code"] == "credential_invalid"
    assert stolen not in {key["kid"] for key in ring().jwks()["keys"]}
    assert states() == ["active", "distrusted"], "a new one was made, and signs"
    assert whoami(log_in(visitor(), "jwt")["credential"]["token"]) == 200
    listed = keys("list", capsys=capsys)
    assert re.search(rf"{stolen} +distrusted +refused since ", listed)


DISTRUST = """
import sys
from pathlib import Path
import django
django.setup()
from django.conf import settings
from django.core.management import call_command
settings.JWT_KEYS_DIR = Path(sys.argv[1])
call_command("keys", "distrust", sys.argv[2])
"""


def test_a_key_whose_name_begins_like_an_option_can_be_distrusted(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One in 64 does, and an emergency is no time to learn of `--`."""
    directory.mkdir(mode=0o700)
    path = directory / "1.pem"
    while True:
        path.unlink(missing_ok=True)
        path.write_text(new_private_key("ES256"))
        path.chmod(0o600)
        if (stolen := ring().signing.kid).startswith("-"):
            break
    assert f"{stolen} is distrusted" in keys("distrust", stolen, capsys=capsys)
    assert stolen not in ring().keys


def test_the_next_key_takes_over_from_a_distrusted_one(client: Client) -> None:
    """R29: published already, it is known to most verifiers."""
    following = rotation.prepare("ES256").kid
    rotation.distrust(ring().signing.kid)
    assert ring().signing.kid == following
    assert Forge(log_in(visitor(), "jwt")["credential"]["token"]).header["kid"] == following
    assert states() == ["active", "distrusted"]


@pytest.mark.parametrize("state", [State.NEXT, State.RETIRED])
def test_a_distrusted_key_that_does_not_sign_changes_nothing_else(
    client: Client, state: State
) -> None:
    rotation.prepare("ES256")
    if state == State.RETIRED:
        rotation.rotate(force=True)
    signing = ring().signing.kid
    (stolen,) = rotation.in_state(ring(), state)
    rotation.distrust(stolen.kid)
    assert ring().signing.kid == signing
    assert list(ring().keys) == [signing]


def test_a_distrusted_key_cannot_be_put_back(client: Client, directory: Path) -> None:
    """R29. Threat: a restored backup brings the file back, and every token of the thief's."""
    backup = (directory / "1.pem").read_bytes()
    stolen, token = ring().signing.kid, a_new_token(client)
    rotation.distrust(stolen)
    (directory / "1.pem").write_bytes(backup)
    (directory / "1.pem").chmod(0o600)
    assert whoami(token) == 401
    assert stolen not in ring().keys
    rotation.distrust(stolen)
    assert states() == ["active", "distrusted"]


def on_a_read_only_disk(path: Path) -> None:
    raise PermissionError(path)


def test_a_key_is_distrusted_even_if_its_file_cannot_be_removed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What counts is written first: the disk may be read-only for the rest, or the power gone."""
    stolen, token = ring().signing.kid, a_new_token(client)
    rotation.prepare("ES256")
    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", on_a_read_only_disk)
        with pytest.raises(PermissionError):
            rotation.distrust(stolen)
    assert whoami(token) == 401
    assert states() == ["active", "distrusted"]


def test_a_key_is_dropped_whole_or_stays_retired(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retired key that the manifest has forgotten would be taken for the next one."""
    rotation.prepare("ES256")
    rotation.rotate(force=True)
    with later(days=31), monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", on_a_read_only_disk)
        with pytest.raises(PermissionError):
            rotation.retire()
    assert states() == ["retired", "active"]


def test_where_the_signing_file_is_gone_the_next_one_signs(client: Client, directory: Path) -> None:
    """An operator in a hurry removes the file; a retired key signs only if there is no other."""
    rotation.prepare("ES256")
    rotation.rotate(force=True)
    retired, _ = ring().keys
    (directory / "2.pem").unlink()
    assert ring().signing.kid == retired
    following = make_key(directory, "ES256", after=files_in(directory))
    assert ring().signing.source == following.name
    with later(days=31):
        assert [key.kid for key in rotation.retire()] == [retired]
    assert states() == ["active"]


# --- a key of the environment -----------------------------------------------------------------


@pytest.fixture(params=["pem", "base64", "base64 in lines"])
def variable(request: pytest.FixtureRequest) -> str:
    pem = new_private_key("ES256")
    return {
        "pem": pem,
        "base64": base64.b64encode(pem.encode()).decode(),
        "base64 in lines": base64.encodebytes(pem.encode()).decode(),
    }[request.param]


def test_a_key_of_the_environment_signs_and_the_files_verify(
    ada: User, settings: Settings, variable: str, directory: Path
) -> None:
    """R20: what was signed before goes on."""
    before = log_in(visitor(), "jwt")["credential"]["token"]
    settings.JWT_SIGNING_KEY = variable
    after = log_in(visitor(), "jwt")["credential"]["token"]
    assert [whoami(token) for token in (before, after)] == [200, 200]
    assert Forge(after).header["kid"] == ring().signing.kid != Forge(before).header["kid"]
    assert states() == ["active", "retired"]
    said, code = refusal("rotate")
    assert code == 1
    assert "which this command does not own" in said
    with later(days=29):
        assert refusal("retire")[1] == TOO_EARLY
    with later(days=31):
        assert [key.source for key in rotation.retire()] == ["1.pem"]
    assert states() == ["active"]


def test_a_key_of_the_environment_needs_no_file(settings: Settings, directory: Path) -> None:
    settings.JWT_SIGNING_KEY = new_private_key("EdDSA")
    assert ring().signing.signer.algorithm == "EdDSA"
    assert not directory.exists()


def test_a_key_of_the_environment_is_renewed_as_the_docs_tell(
    ada: User, settings: Settings, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """R28: published as a file first, and the old one verifies as a file afterwards."""
    settings.JWT_SIGNING_KEY = old = new_private_key("ES256")
    before = log_in(visitor(), "jwt")["credential"]["token"]
    assert "Put it into JWT_SIGNING_KEY" in keys("prepare", capsys=capsys)
    assert states() == ["active", "next"]
    (directory / "2.pem").touch(0o600)
    (directory / "2.pem").write_text(old)
    settings.JWT_SIGNING_KEY = (directory / "1.pem").read_text()
    after = log_in(visitor(), "jwt")["credential"]["token"]
    assert [whoami(token) for token in (before, after)] == [200, 200]
    assert states() == ["active", "retired"]
    assert ring() is ring(), "read once, and not on every request"
    assert refusal("retire")[1] == TOO_EARLY
    with later(days=31):
        assert [key.source for key in rotation.retire()] == ["2.pem"]
    assert states() == ["active"]


def test_a_distrusted_key_of_the_environment_signs_no_more(
    ada: User, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """R29: at once, and not only after the next restart."""
    settings.JWT_SIGNING_KEY = new_private_key("ES256")
    stolen = ring().signing.kid
    token = log_in(visitor(), "jwt")["credential"]["token"]
    said = keys("distrust", stolen, capsys=capsys)
    assert "Take it out of JWT_SIGNING_KEY too" in said
    assert whoami(token) == 401
    assert whoami(log_in(visitor(), "jwt")["credential"]["token"]) == 200
    assert states() == ["active", "distrusted"]
