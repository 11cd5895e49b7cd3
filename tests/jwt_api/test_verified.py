"""Can mallory get anything out of the memory of verified tokens that is not good any more?"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from pytest_django import Settings

from accounts.contract.errors import ContractError, CredentialExpired, CredentialInvalid
from accounts.models import User
from jwt_api import key_files, rotation, verified
from jwt_api.authentication import read_access_token, verify_access_token
from jwt_api.keys import ring
from jwt_api.tokens import AccessToken
from tests.accounts.racing import log_in
from tests.jwt_api.forging import Forge, visitor

pytestmark = [pytest.mark.once, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, settings: Settings) -> Path:
    settings.JWT_KEYS_DIR = tmp_path / "keys"
    return settings.JWT_KEYS_DIR


@pytest.fixture(autouse=True)
def empty_memory() -> Iterator[None]:
    verified._kept = None
    yield
    verified._kept = None


@pytest.fixture
def genuine(ada: User) -> Forge:
    """Ada's access token, which this process has not seen yet."""
    return Forge(log_in(visitor(), "jwt")["credential"]["token"])


def read(token: str) -> AccessToken:
    return read_access_token(token.encode())


def memory() -> Any:
    """Hits, misses and size, as `functools` counts them."""
    assert verified._kept is not None
    return verified._kept.verify.cache_info()


def at(seconds_from_now: float) -> Any:
    return time_machine.travel(datetime.now(UTC) + timedelta(seconds=seconds_from_now))


def left(token: Forge) -> float:
    return token.claims["exp"] - time.time()


# --- what time decides ------------------------------------------------------------------------


def test_an_expired_token_is_refused_although_it_is_remembered(
    genuine: Forge, settings: Settings
) -> None:
    read(genuine.token)
    with at(left(genuine) + settings.LEEWAY_SECONDS - 5):
        assert read(genuine.token), "the leeway counts as it does at the first look"
    with at(left(genuine) + settings.LEEWAY_SECONDS + 1), pytest.raises(CredentialExpired):
        read(genuine.token)
    assert memory().hits == 2


@pytest.mark.parametrize("claim", ["iat", "nbf"])
def test_a_token_is_refused_before_its_time_although_it_is_remembered(
    genuine: Forge, settings: Settings, claim: str
) -> None:
    """The clock was set back: what a first look refuses, a second one refuses as well."""
    token = genuine.ours(claims={claim: int(time.time())})
    read(token)
    with at(-settings.LEEWAY_SECONDS - 60), pytest.raises(CredentialInvalid):
        read(token)


def test_what_is_no_number_to_us_is_one_to_the_memory_as_well(genuine: Forge) -> None:
    """PyJWT takes "1" as nbf; the second look must not be a 500."""
    token = genuine.ours(claims={"nbf": "1"})
    assert read(token).user_id == read(token).user_id


# --- what decides beside time -----------------------------------------------------------------


def test_what_a_distrusted_key_signed_is_forgotten(genuine: Forge) -> None:
    read(genuine.token)
    assert memory().currsize == 1
    rotation.distrust(ring().signing.kid)
    with pytest.raises(CredentialInvalid):
        read(genuine.token)
    assert memory().currsize == 0


def test_what_a_key_signed_that_left_the_ring_is_forgotten(genuine: Forge, directory: Path) -> None:
    read(genuine.token)
    (directory / "1.pem").unlink()
    with pytest.raises(CredentialInvalid):
        read(genuine.token)


def test_a_verification_that_the_distrust_overtakes_is_not_remembered(genuine: Forge) -> None:
    """It began while the key was good, and ends when it is not."""

    def overtaken(text: bytes) -> AccessToken:
        token = verify_access_token(text)
        rotation.distrust(ring().signing.kid)
        return token

    verified.verified(genuine.token.encode(), overtaken)
    with pytest.raises(CredentialInvalid):
        read(genuine.token)


OTHER_SETTINGS: dict[str, dict[str, Any]] = {
    "audience": {"SIMPLE_JWT": {"AUDIENCE": "somebody-else"}},
    "issuer": {"SIMPLE_JWT": {"ISSUER": "somebody-else"}},
    "client": {"JWT_CLIENT_ID": "somebody-else"},
}


@pytest.mark.parametrize("changed", OTHER_SETTINGS.values(), ids=OTHER_SETTINGS)
def test_what_passed_under_other_settings_is_forgotten(
    genuine: Forge, settings: Settings, changed: dict[str, Any]
) -> None:
    read(genuine.token)
    for name, value in changed.items():
        whole = {**getattr(settings, name), **value} if isinstance(value, dict) else value
        setattr(settings, name, whole)
    with pytest.raises(ContractError):
        read(genuine.token)


def test_a_shorter_leeway_counts_at_once(genuine: Forge, settings: Settings) -> None:
    with at(left(genuine) + 10):
        read(genuine.token)
        settings.SIMPLE_JWT = {**settings.SIMPLE_JWT, "LEEWAY": timedelta(seconds=5)}
        with pytest.raises(CredentialExpired):
            read(genuine.token)


# --- which text -------------------------------------------------------------------------------


def test_a_text_that_differs_in_one_character_is_not_the_remembered_one(genuine: Forge) -> None:
    """Also where the character changes no byte of the signature: the last one has idle bits."""
    read(genuine.token)
    for position in (0, len(genuine.head) + 3, len(genuine.token) - 20, len(genuine.token) - 1):
        other = "B" if genuine.token[position] != "B" else "C"
        with pytest.raises(CredentialInvalid):
            read(genuine.token[:position] + other + genuine.token[position + 1 :])
    for around in (f"{genuine.token} ", f"{genuine.token}=", f"{genuine.token}\n"):
        with pytest.raises(CredentialInvalid):
            read(around)


def test_the_second_valid_signature_is_verified_for_itself(genuine: Forge) -> None:
    """ES256: (r, n-s) verifies too. It is another text, and lives no longer than the first."""
    read(genuine.token)
    read(genuine.malleated())
    assert memory().misses == 2
    rotation.distrust(ring().signing.kid)
    for token in (genuine.token, genuine.malleated()):
        with pytest.raises(CredentialInvalid):
            read(token)


def test_nothing_that_was_refused_is_remembered(genuine: Forge) -> None:
    """Or mallory, who can send any text, would push out what honest users sent."""
    read(genuine.token)
    for number in range(20):
        with pytest.raises(CredentialInvalid):
            read(f"{genuine.head}.{genuine.body}.{number:086d}")
    assert memory().currsize == 1


# --- what is kept -----------------------------------------------------------------------------


def test_a_signature_is_checked_once(genuine: Forge) -> None:
    for _ in range(3):
        read(genuine.token)
    assert (memory().misses, memory().hits) == (1, 2)


def test_the_memory_is_bounded_and_the_longest_unused_goes(
    genuine: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verified, "MOST_VERIFIED", 3)
    tokens = [genuine.ours(claims={"jti": f"jti-{number:05d}"}) for number in range(5)]
    for token in tokens:
        read(token)
        read(tokens[0])
    assert memory().currsize == 3
    before = memory().misses
    read(tokens[0])
    assert memory().misses == before, "it was used all the time"
    read(tokens[1])
    assert memory().misses == before + 1


def test_nobody_can_change_the_claims_that_others_get(genuine: Forge) -> None:
    token = read(genuine.token)
    with pytest.raises(TypeError):
        token["sub"] = "1"
    with pytest.raises(TypeError):
        token.payload["roles"] = ["admin"]
    assert read(genuine.token).user_id == int(genuine.claims["sub"])


# --- the files that are looked at on every call -----------------------------------------------


def test_a_key_that_came_within_one_step_of_the_clock_is_noticed(
    genuine: Forge, directory: Path
) -> None:
    """A file system counts time in steps: two changes in one leave one and the same stamp."""
    key_files.files_in(directory)
    rotation.prepare("ES256")
    known, now = key_files._listings[directory], os.stat(directory)
    stamp = (now.st_mtime_ns, now.st_ctime_ns, now.st_ino, now.st_dev)
    only_first = tuple(path for path in known.paths if path[0] == "1.pem")
    key_files._listings[directory] = known._replace(stamp=stamp, paths=only_first)
    assert len(ring().keys) == 2


def test_a_folder_that_has_settled_is_not_listed_again(
    genuine: Forge, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_files, "SETTLED_SECONDS", 0)
    before = key_files.files_in(directory)
    monkeypatch.setattr(os, "listdir", lambda path: pytest.fail("listed again"))
    assert key_files.files_in(directory) == before
    monkeypatch.undo()
    rotation.prepare("ES256")
    assert "2.pem" in {name for name, _, _ in key_files.files_in(directory)}
