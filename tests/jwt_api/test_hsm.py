"""Can the private key live where nobody gets it out? SoftHSM2, a real PKCS#11 library, holds it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from pytest_django import Settings

from accounts.contract.errors import StoreUnavailable
from accounts.models import User
from jwt_api import hsm, rotation
from jwt_api.hsm import Pkcs11Signer
from jwt_api.keys import State, ring
from tests.accounts.racing import at_once, log_in, post
from tests.jwt_api.forging import Forge, visitor
from tests.softhsm import PIN, TOKEN, make_token, module

pytestmark = [
    pytest.mark.once,
    pytest.mark.django_db,
    pytest.mark.skipif(module() is None, reason="no SoftHSM: apt-get install softhsm2"),
]

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A token of this module's own. SoftHSM reads its configuration once in a process."""
    configuration = make_token(tmp_path_factory.mktemp("softhsm"))
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    yield
    os.environ.pop("SOFTHSM2_CONF")
    if before is not None:
        os.environ["SOFTHSM2_CONF"] = before


@pytest.fixture(autouse=True)
def directory(token: None, tmp_path: Path, settings: Settings) -> Path:
    settings.JWT_KEYS_DIR = tmp_path / "keys"
    settings.HSM_MODULE, settings.HSM_TOKEN = str(module()), TOKEN
    settings.HSM_TOKEN_PIN = PIN
    return settings.JWT_KEYS_DIR


@pytest.fixture
def signing(directory: Path) -> Pkcs11Signer:
    """The ring signs by the box."""
    rotation.prepare("ES256", in_hsm=True)
    rotation.rotate(force=True)
    signer = ring().signing.signer
    assert isinstance(signer, Pkcs11Signer)
    return signer


def whoami(token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return visitor().get("/api/jwt/whoami/", headers=headers).status_code


def test_a_key_in_the_box_is_published_signs_and_retires(
    ada: User, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """R28: as every other key does, and an outsider sees no difference."""
    client = visitor()
    before = log_in(client, "jwt")["credential"]["token"]
    call_command("keys", "prepare", "--hsm")
    assert "ES256, 2.pkcs11" in capsys.readouterr().out
    (following,) = rotation.in_state(ring(), State.NEXT)
    assert following.signer.jwk in client.get("/.well-known/jwks.json").json()["keys"]
    call_command("keys", "rotate", "--force")
    by_the_box = post(client, "/api/jwt/refresh/").json()["credential"]["token"]
    assert Forge(by_the_box).header == {"alg": "ES256", "kid": following.kid, "typ": "at+jwt"}
    published = jwt.PyJWKSet.from_dict(client.get("/.well-known/jwks.json").json())
    claims = jwt.decode(
        by_the_box, published[following.kid].key, algorithms=["ES256"], audience="api"
    )
    assert claims["sub"] == str(ada.pk)
    rotation.prepare("ES256")
    rotation.rotate(force=True)
    after = post(client, "/api/jwt/refresh/").json()["credential"]["token"]
    assert [whoami(token) for token in (before, by_the_box, after)] == [200] * 3


def test_the_private_key_never_leaves_the_box(signing: Pkcs11Signer, directory: Path) -> None:
    """R20: neither by its file, nor by asking the box for it."""
    import pkcs11

    private = signing._private()
    assert private[pkcs11.Attribute.NEVER_EXTRACTABLE]
    with pytest.raises(pkcs11.AttributeSensitive):
        private[pkcs11.Attribute.VALUE]
    assert "PRIVATE" not in (directory / "2.pkcs11").read_text()
    assert not hasattr(signing, "private")


def test_every_signature_of_the_box_is_as_jose_wants_it(signing: Pkcs11Signer) -> None:
    """RFC 7518, section 3.4: r and s, 32 bytes each, also where one of them begins with zeros."""
    verify = jwt.get_algorithm_by_name("ES256").verify
    for number in range(300):  # about two of them have such an r or s
        message = str(number).encode()
        signature = signing.sign(message)
        assert len(signature) == 64
        assert verify(message, signing.public, signature)


def test_threads_take_turns(signing: Pkcs11Signer) -> None:
    """Else two of them open a session at once, and the box refuses a second login."""
    verify = jwt.get_algorithm_by_name("ES256").verify

    def sign() -> bool:
        return verify(b"a", signing.public, signing.sign(b"a"))

    for _ in range(20):
        hsm.close_session(TOKEN)
        assert at_once([sign] * 8) == [True] * 8


# The threads of the tests before are over; Python 3.12 counts those of the libraries too.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_opens_a_session_of_its_own(signing: Pkcs11Signer) -> None:
    """gunicorn forks: what a master has opened is not for its workers (PKCS#11, section 5.4).

    SoftHSM would let them; a card or a network HSM mixes up their calls.
    """
    signing.sign(b"a")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            signature = signing.sign(b"a")
            os.write(write, signature if hsm._sessions.keys() == {(os.getpid(), TOKEN)} else b"")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    verify = jwt.get_algorithm_by_name("ES256").verify
    assert verify(b"a", signing.public, os.read(read, 100))
    os.close(read)
    os.close(write)
    assert verify(b"a", signing.public, signing.sign(b"a"))


# python-pkcs11 ends a search of its own in `__del__`, and finds its session closed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_session_that_the_box_has_closed_is_opened_again(signing: Pkcs11Signer) -> None:
    """The box was restarted; nobody has to restart us."""
    signing.sign(b"a")
    hsm._session(TOKEN).close()
    assert len(signing.sign(b"a")) == 64


def test_without_the_box_tokens_verify_and_logins_are_a_503(
    ada: User, signing: Pkcs11Signer, settings: Settings
) -> None:
    """What was issued needs the public key alone."""
    token = log_in(visitor(), "jwt")["credential"]["token"]
    hsm.close_session(TOKEN)
    settings.HSM_TOKEN_PIN = "wrong"
    assert whoami(token) == 200
    body = {"username": "ada", "password": "ada-demo-password"}
    answer = post(visitor(), "/api/jwt/login/", body)
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    settings.HSM_TOKEN_PIN = PIN
    assert whoami(log_in(visitor(), "jwt")["credential"]["token"]) == 200


def test_a_distrusted_key_of_the_box_is_refused(ada: User, signing: Pkcs11Signer) -> None:
    """R29: its file goes; what lies in the box is nobody's any more."""
    token = log_in(visitor(), "jwt")["credential"]["token"]
    rotation.distrust(signing.kid)
    assert whoami(token) == 401
    assert whoami(log_in(visitor(), "jwt")["credential"]["token"]) == 200


def put(directory: Path, text: str) -> None:
    directory.mkdir(mode=0o700, exist_ok=True)
    (directory / "9.pkcs11").write_text(text)
    (directory / "9.pkcs11").chmod(0o600)


def public(private: Any) -> str:
    return (
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


P256 = public(ec.generate_private_key(ec.SECP256R1()))
BROKEN = {
    "nothing": "",
    "a key without a name": P256,
    "a name without a key": "pkcs11:token=authdemo;object=x\n",
    "a name with a library in it": f"pkcs11:token=a;object=b?module-path=/tmp/mine.so\n{P256}",
    "an RSA key": f"pkcs11:token=a;object=b\n{public(rsa.generate_private_key(65537, 2048))}",
    "P-384": f"pkcs11:token=a;object=b\n{public(ec.generate_private_key(ec.SECP384R1()))}",
    "half a key": f"pkcs11:token=a;object=b\n{P256[:80]}",
}


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in BROKEN.items()])
def test_a_file_that_names_no_key_is_refused(directory: Path, text: str) -> None:
    put(directory, text)
    with pytest.raises(ImproperlyConfigured, match=r"^9\.pkcs11 is not (a|an) "):
        ring()


def test_a_file_that_shows_another_key_does_not_sign(
    signing: Pkcs11Signer, directory: Path
) -> None:
    """It would end every login, and only the next verifier would say why."""
    put(directory, f"pkcs11:token={TOKEN};object={signing.name}\n{P256}")
    with pytest.raises(CommandError, match="holds another key than it says"):
        call_command("keys", "rotate", "--force")
    put(directory, f"pkcs11:token={TOKEN};object=gone\n{P256}")
    with pytest.raises(CommandError, match="cannot sign: PKCS#11: NoSuchKey"):
        call_command("keys", "rotate", "--force")
    assert ring().signing.signer.kid == signing.kid


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("HSM_MODULE", "/nowhere.so", "cannot open shared object"),
        ("HSM_MODULE", "", "HSM_MODULE names no library"),
        ("HSM_TOKEN", "another", "NoSuchToken"),
        ("HSM_TOKEN_PIN", "99999", "PinIncorrect"),
    ],
)
def test_what_is_wrong_with_the_box_is_told(
    settings: Settings, name: str, value: str, told: str
) -> None:
    hsm.close_session(TOKEN)
    setattr(settings, name, value)
    with pytest.raises(CommandError, match=told) as refused:
        call_command("keys", "prepare", "--hsm")
    assert "99999" not in str(refused.value)
    assert list(ring().keys) == [ring().signing.kid]


def test_a_wrong_pin_is_tried_once(
    ada: User, signing: Pkcs11Signer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threat: each login tries it again, and the box locks for good."""
    tried = []

    def counted(library: Any, token: str, pin: str) -> Any:
        tried.append(pin)
        return logged_in(library, token, pin)

    logged_in = hsm._logged_in
    monkeypatch.setattr(hsm, "_logged_in", counted)
    hsm.close_session(TOKEN)
    settings.HSM_TOKEN_PIN = "88888"
    for _ in range(3):
        with pytest.raises(StoreUnavailable) as refused:
            signing.sign(b"text")
        assert "PinIncorrect" in refused.value.log_reason
    assert tried == ["88888"]
    settings.HSM_TOKEN_PIN = PIN
    assert signing.sign(b"text")


def test_who_has_no_box_needs_no_library() -> None:
    """python-pkcs11 is imported when a key of a box signs, and not before."""
    code = (
        "import sys, django; django.setup();"
        "from jwt_api.keys import ring; ring().signing.signer.sign(b'');"
        "print('pkcs11' in sys.modules)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert finished.stdout.splitlines()[-1] == "False"
