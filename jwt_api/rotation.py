"""How does a key come, sign, and go, without a valid token being refused? In four steps.

    prepare → published → (the JWKS max-age) → rotate → signs → rotate → verifies → retire

`distrust` is the fifth, for emergencies. A step that would strand valid tokens raises `TooEarly`.
Each is whole at any moment: what a step writes last is what makes it count.
"""

import math
import secrets
import time
from pathlib import Path

from django.conf import settings
from jwt.algorithms import get_default_algorithms

from accounts.contract.errors import StoreUnavailable
from accounts.secret_file import read_or_create
from jwt_api.hsm import make_in_hsm
from jwt_api.key_files import HSM, VARIABLE, files_in, next_number
from jwt_api.keys import Key, KeyRing, State, make_key, ring
from jwt_api.manifest import Manifest, one_at_a_time


class Refused(Exception):
    """The step cannot be done; the message says what to do instead."""


class TooEarly(Refused):
    """The step would strand valid tokens until `at`, in Unix seconds."""

    def __init__(self, message: str, at: float) -> None:
        super().__init__(message)
        self.at = at


def longest_token_seconds() -> float:
    """How long a token that is signed now may be shown: no key may go earlier."""
    simple_jwt = settings.SIMPLE_JWT
    refresh = min(simple_jwt["REFRESH_TOKEN_LIFETIME"].total_seconds(), settings.ABSOLUTE_SECONDS)
    access = simple_jwt["ACCESS_TOKEN_LIFETIME"].total_seconds()
    longest = max(refresh, access, settings.PROGRAM_TOKEN_SECONDS)
    return longest + simple_jwt["LEEWAY"].total_seconds()


def known_everywhere(key: Key) -> float:
    """When no verifier can hold a JWKS without this key any more, in Unix seconds."""
    return key.since + settings.JWKS_MAX_AGE_SECONDS


def in_state(found: KeyRing, state: State) -> list[Key]:
    return [key for key in found.keys.values() if key.state == state]


def prepare(algorithm: str, *, in_hsm: bool = False) -> Key:
    """Make and publish the next key. It verifies at once, and signs when `rotate` says so."""
    directory: Path = settings.JWT_KEYS_DIR
    with one_at_a_time(directory):
        found, _ = _settled(directory)
        if waiting := in_state(found, State.NEXT):
            raise Refused(f"{waiting[0].kid} is prepared already. Rotate to it, or distrust it.")
        if in_hsm:
            path = directory / f"{next_number(files_in(directory))}{HSM}"
            read_or_create(path, make=lambda: make_in_hsm(settings.HSM_TOKEN))
        else:
            path = make_key(directory, algorithm, after=files_in(directory))
        return next(key for key in ring().keys.values() if key.source == path.name)


def rotate(*, force: bool = False) -> tuple[Key, Key]:
    """Have the next key sign; return the one that did so far, and the one that does."""
    directory: Path = settings.JWT_KEYS_DIR
    with one_at_a_time(directory):
        found, manifest = _settled(directory)
        before = found.signing
        if before.source == VARIABLE:
            raise Refused(
                f"The signing key comes from {VARIABLE}, which this command does not own. "
                "Change the variable and restart; docs/keys.md says in which order."
            )
        waiting = in_state(found, State.NEXT)
        if not waiting:
            raise Refused("There is no next key. Run `keys prepare` first.")
        key = waiting[0]
        if (at := known_everywhere(key)) > time.time() and not force:
            raise TooEarly(f"{key.kid} is not known everywhere yet.", at)
        _refuse_unless_it_signs(key)
        manifest.signing = key.kid
        manifest.retired[before.kid] = time.time() + longest_token_seconds()
        manifest.write(directory)
        return before, ring().signing


def _refuse_unless_it_signs(key: Key) -> None:
    """An HSM that is away, or holds another key than its file says, would end every login."""
    probe = secrets.token_bytes(32)
    try:
        signature = key.signer.sign(probe)
    except StoreUnavailable as error:
        raise Refused(f"{key.kid} cannot sign: {error.log_reason}.") from error
    verify = get_default_algorithms()[key.signer.algorithm].verify
    if not verify(probe, key.signer.public, signature):
        raise Refused(f"What signs for {key.source} holds another key than it says.")


def retire() -> list[Key]:
    """Drop the retired keys whose last token is over; return them."""
    directory: Path = settings.JWT_KEYS_DIR
    with one_at_a_time(directory):
        found, manifest = _settled(directory)
        retired = in_state(found, State.RETIRED)
        over = [key for key in retired if key.until <= time.time()]
        if retired and not over:
            soonest = min(retired, key=lambda key: key.until)
            raise TooEarly(f"{soonest.kid} has signed tokens that are good.", soonest.until)
        for key in over:
            # The file first: a key that the manifest has forgotten would be a next one.
            (directory / key.source).unlink()
            del manifest.retired[key.kid]
        manifest.write(directory)
        return over


def distrust(kid: str) -> KeyRing:
    """Believe nothing more that this key signed, and remember it; return the ring without it.

    If it was the one that signs, the next one does at once, or one that is made for it.
    """
    directory: Path = settings.JWT_KEYS_DIR
    with one_at_a_time(directory):
        found, manifest = _settled(directory)
        if kid in found.distrusted:
            return found
        if (key := found.find(kid)) is None:
            raise Refused(f"There is no key {kid!r}. `keys list` names them.")
        if key.state == State.ACTIVE:
            waiting = in_state(found, State.NEXT)
            if not waiting:
                algorithm = settings.SIMPLE_JWT["ALGORITHM"]
                make_key(directory, algorithm, after=files_in(directory))
                waiting = in_state(ring(), State.NEXT)
            manifest.signing = waiting[0].kid
        manifest.retired.pop(kid, None)
        manifest.distrusted[kid] = time.time()
        manifest.write(directory)
        # Last: from the line before on it is ignored, whatever happens to its file.
        if key.source != VARIABLE:
            (directory / key.source).unlink()
        return ring()


def _settled(directory: Path) -> tuple[KeyRing, Manifest]:
    """The ring, and a manifest that says of it what files and the variable have decided so far."""
    found, manifest = ring(), Manifest.read(directory)
    if manifest.signing == found.signing.kid:
        return found, manifest
    displaced = [key.kid for key in in_state(found, State.RETIRED) if key.until == math.inf]
    for kid in displaced:
        manifest.retired[kid] = time.time() + longest_token_seconds()
    manifest.signing = found.signing.kid
    manifest.retired.pop(manifest.signing, None)
    manifest.write(directory)
    return ring(), manifest
