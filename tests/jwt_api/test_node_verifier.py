"""Is it the standard, and not us? Another language and another library take the same tokens.

`jwt_api/verifier/node/notes.js` runs as a process, by npm's `jose`. Without Node 20, or before
`npm ci` was run in its folder, these tests are skipped by name.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from accounts.client import authorities
from tests.jwt_api.forging import Forge
from tests.jwt_api.issuer import Issuer, jwk_of, running_issuer
from tests.jwt_api.test_verifier import KEYS, MOODS, NOT_GOOD

FOLDER = Path(__file__).resolve().parent.parent.parent / "jwt_api" / "verifier" / "node"
NODE = shutil.which("node")


def missing() -> str:
    """What is not there to run it with."""
    if NODE is None:
        return "no node on PATH"
    version = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.strip("v\n").partition(".")[0]) < 20:
        return f"node is {version.strip()}, and 20 is needed"
    return "" if (FOLDER / "node_modules" / "jose").exists() else "no `npm ci` in verifier/node"


MISSING = missing()
pytestmark = [pytest.mark.once, pytest.mark.node, pytest.mark.skipif(bool(MISSING), reason=MISSING)]


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with running_issuer() as issuer:
        yield issuer


def start(issuer: Issuer, *options: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [NODE or "", "notes.js", "--port=0", f"--jwks={issuer.url}", *options],
        cwd=FOLDER,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    told = re.search(r"http://\S+/notes/", process.stdout.readline())
    assert told
    return process, told[0]


def end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.communicate(timeout=20)


@pytest.fixture(scope="module")
def notes(issuer: Issuer) -> Iterator[str]:
    process, url = start(issuer)
    yield url
    end(process)


@pytest.fixture
def fresh() -> Iterator[tuple[str, Issuer]]:
    """A service that reads the keys anew for every unknown one, and an issuer of its own."""
    with running_issuer() as issuer:
        process, url = start(issuer, "--cooldown=0")
        yield url, issuer
        end(process)


def show(url: str, token: str) -> httpx.Response:
    return httpx.get(url, headers={"Authorization": f"Bearer {token}"}, verify=authorities())


def test_it_takes_the_tokens_that_ours_takes(notes: str, issuer: Issuer) -> None:
    answer = show(notes, issuer.token())
    assert (answer.status_code, answer.json()["reader"]) == (200, "7")


def test_it_asks_for_the_scope(notes: str, issuer: Issuer) -> None:
    answer = show(notes, issuer.token(scope="profile:read"))
    assert answer.status_code == 403
    assert 'error="insufficient_scope", scope="notes:read"' in answer.headers["www-authenticate"]


# The one row that jose takes: our own verifier wants printable subjects, the standard does not.
OURS_ALONE = {"NUL as subject"}


@pytest.mark.parametrize("row", sorted(NOT_GOOD.keys() - OURS_ALONE))
def test_it_refuses_what_ours_refuses(notes: str, issuer: Issuer, row: str) -> None:
    answer = show(notes, NOT_GOOD[row](issuer, Forge(issuer.token())))
    assert (answer.status_code, answer.json()) == (401, {"error": "invalid_token"})
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_who_shows_nothing_is_told_the_scheme(notes: str) -> None:
    answer = httpx.get(notes)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="notes"')


@pytest.mark.parametrize("algorithm", KEYS)
def test_it_understands_each_algorithm(fresh: tuple[str, Issuer], algorithm: str) -> None:
    url, issuer = fresh
    issuer.keys = [jwk_of("k", KEYS[algorithm], algorithm)]
    token = Forge(issuer.token()).theirs({"kid": "k"}, algorithm, KEYS[algorithm])
    assert show(url, token).status_code == 200


@pytest.mark.parametrize("mood", ["500", "a redirect", "HTML", "null"])
def test_it_keeps_the_last_good_keys(fresh: tuple[str, Issuer], mood: str) -> None:  # R31
    url, issuer = fresh
    assert show(url, issuer.token()).status_code == 200
    MOODS[mood](issuer)
    unknown = Forge(issuer.token()).theirs({"kid": "k2"}, "HS256", b"x" * 32)
    assert show(url, unknown).status_code == 401
    assert show(url, issuer.token()).status_code == 200


def test_many_unknown_kids_are_one_request_to_the_issuer(notes: str, issuer: Issuer) -> None:
    """A64"""
    show(notes, issuer.token())
    before = issuer.reads
    for number in range(50):
        forge = Forge(issuer.token())
        token = forge.signed(
            {**forge.header, "kid": f"k{number}x"}, forge.claims, "ES256", issuer.key
        )
        assert show(notes, token).status_code == 401
    assert issuer.reads - before <= 1
