"""Which key signs, which keys verify, and who may know them? The key ring, as its files are now.

The files are looked at on every call, so that a change counts at once, in every process and
without a restart; they are read only when they have changed. `jwt_api.rotation` changes them.
"""

import math
import threading
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from accounts import security_log
from accounts.contract.checking import check
from accounts.secret_file import read_or_create
from jwt_api import key_files
from jwt_api.key_files import KEY_FILES, VARIABLE, File
from jwt_api.manifest import Manifest
from jwt_api.signers import Signer, new_private_key

MOST_TRIES = 100


class State(StrEnum):
    """Where a key is in its life. All but the last stand in the JWKS, and verify."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRED = "retired"
    DISTRUSTED = "distrusted"


@dataclass(frozen=True)
class Key:
    """One key of the ring. `source` is the name of its file, or `JWT_SIGNING_KEY`.

    `since` is when its file was written, in Unix seconds; `until`, of a retired key, when the
    last token that it signed is over.
    """

    source: str
    since: float
    state: State
    until: float
    signer: Signer

    @property
    def kid(self) -> str:
        return self.signer.kid


@dataclass(frozen=True)
class KeyRing:
    """All keys that verify, by `kid`, the oldest first, and the one of them that signs."""

    keys: dict[str, Key]
    signing: Key
    distrusted: dict[str, float]
    """Since when, in Unix seconds, by `kid`. Their files are not read as keys, if any are left."""

    @check("key", "Its kid names a key of our own ring.", refuses=lambda key: key is None)
    def find(self, kid: object) -> Key | None:
        """The key of that name, by equality; a path, URL or SQL in `kid` is just unknown."""
        return self.keys.get(kid) if isinstance(kid, str) else None

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys (RFC 7517)."""
        return {"keys": [key.signer.jwk for key in self.keys.values()]}


def ring() -> KeyRing:
    """The ring as its files are now: one that comes, goes or changes is noticed at once.

    The first key of all is made here. Raises `ImproperlyConfigured`, naming the file.
    """
    directory: Path = settings.JWT_KEYS_DIR
    for _ in range(MOST_TRIES):
        try:
            files = key_files.files_in(directory)
            found = _load(directory, files, key_files.read_variable())
            if found is None:
                make_key(directory, settings.SIMPLE_JWT["ALGORITHM"], after=files)
                continue
        except FileNotFoundError:
            continue  # it went while we looked: look at the rest
        if _noted.get(directory) is not found:
            _note(directory, found)
        return found
    raise ImproperlyConfigured(f"The key files in {directory} come and go, or lead nowhere.")


def make_key(directory: Path, algorithm: str, *, after: tuple[File, ...]) -> Path:
    """Make the file of one more key, after the files that its maker knows.

    Processes that start at once have all seen none, and so agree on the first one. To look again
    here would number a second one after what another process has made meanwhile.
    """
    path = directory / f"{key_files.next_number(after)}.pem"
    read_or_create(path, make=lambda: new_private_key(algorithm))
    return path


@lru_cache(maxsize=8)
def _load(directory: Path, files: tuple[File, ...], given: Signer | None) -> KeyRing | None:
    """Read all of it; None if there is no key to sign with."""
    manifest = Manifest.read(directory)
    read = [
        (name, changed / 1e9, key_files.read_file(directory / name))
        for name, changed, _ in files
        if name.endswith(KEY_FILES)
    ]
    if len({signer.kid for _, _, signer in read}) < len(read):
        raise ImproperlyConfigured(f"Two files in {directory.name} hold the same key.")
    if given:
        # The same key may lie in a file as well: so it was published before it signed.
        read = [(VARIABLE, 0.0, given), *(row for row in read if row[2].kid != given.kid)]
    read = [row for row in read if row[2].kid not in manifest.distrusted]
    if not read:
        return None
    kids = [signer.kid for source, _, signer in read if source != VARIABLE]
    manifest.signing = manifest.signing or next(iter(kids), "")
    active = min(read, key=lambda row: _rank(manifest, row[0], row[2].kid))[2].kid
    keys = {
        signer.kid: Key(
            source=source,
            since=since,
            state=_state(manifest, signer.kid, active),
            until=manifest.retired.get(signer.kid, math.inf),
            signer=signer,
        )
        for source, since, signer in read
    }
    return KeyRing(keys=keys, signing=keys[active], distrusted=manifest.distrusted)


def _rank(manifest: Manifest, source: str, kid: str) -> tuple[bool, bool, float]:
    """Who signs is the smallest of these: the variable; whom the manifest names; if that file is
    gone, the oldest next key, or else the youngest retired one.
    """
    return source != VARIABLE, kid != manifest.signing, -manifest.retired.get(kid, math.inf)


def _state(manifest: Manifest, kid: str, active: str) -> State:
    if kid == active:
        return State.ACTIVE
    # Named by the manifest and not active: JWT_SIGNING_KEY has taken its place.
    return State.RETIRED if kid in manifest.retired or kid == manifest.signing else State.NEXT


# The ring that this process has last told of, for each directory.
_noted: dict[Path, KeyRing] = {}
_noting = threading.Lock()


def _note(directory: Path, found: KeyRing) -> None:
    """Log which keys there are, and from then on each one that comes, signs or goes; once."""
    with _noting:
        before = _noted.get(directory)
        _noted[directory] = found
    if before is None:
        kids = list(found.keys)
        security_log.note("signing_keys_loaded", kids=kids, signing=found.signing.kid)
        return
    for kid in found.keys.keys() - before.keys.keys():
        security_log.note("signing_key_appeared", kid=kid)
    if found.signing.kid != before.signing.kid:
        security_log.note("signing_key_changed", kid=found.signing.kid)
    for kid in before.keys.keys() - found.keys.keys():
        event = "signing_key_distrusted" if kid in found.distrusted else "signing_key_disappeared"
        security_log.note(event, kid=kid)
