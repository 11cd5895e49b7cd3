"""Where do the keys come from, and which are refused? Files of `JWT_KEYS_DIR`, or one variable.

    <number>.pem      a private key, unencrypted
    <number>.pkcs11   where an HSM keeps one, and its public half (`jwt_api.hsm`)
    ring.json         which key signs, and what became of the others (`jwt_api.manifest`)

`JWT_SIGNING_KEY`, if set, is the key that signs: a PEM, or the base64 of one.
"""

import base64
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from jwt_api.signers import LocalSigner, Signer

HSM = ".pkcs11"
KEY_FILES = (".pem", HSM)
MANIFEST = "ring.json"
VARIABLE = "JWT_SIGNING_KEY"

File = tuple[str, int, int]
"""Name, time of the last change in nanoseconds, inode."""


# A file system counts time in steps, the coarsest (FAT) in steps of two seconds: a folder that
# changes twice within one looks as if it had changed once.
SETTLED_SECONDS = 2


class _Listing(NamedTuple):
    """The names of the ring's files, as they were when the folder had this stamp."""

    stamp: tuple[int, ...]
    first_seen: float
    is_settled: bool
    paths: tuple[tuple[str, str], ...]


_listings: dict[Path, _Listing] = {}


def files_in(directory: Path) -> tuple[File, ...]:
    """Each file that makes up the ring, oldest name first: 9.pem comes before 10.pem.

    Looks at each of them on every call, and for others only when the folder has changed.
    Raises `FileNotFoundError` when one goes while we look.
    """
    try:
        folder = os.stat(directory)
    except FileNotFoundError:
        return ()
    stamp = (folder.st_mtime_ns, folder.st_ctime_ns, folder.st_ino, folder.st_dev)
    known = _listings.get(directory)
    if known is None or known.stamp != stamp or not known.is_settled:
        known = _listings[directory] = _list(directory, stamp, known)
    found = []
    for name, path in known.paths:
        file = os.stat(path)
        # A copy may keep the time of its content, so that of the file counts as well.
        found.append((name, max(file.st_mtime_ns, file.st_ctime_ns), file.st_ino))
    return tuple(found)


def _list(directory: Path, stamp: tuple[int, ...], before: _Listing | None) -> _Listing:
    """List the folder. Only a listing that was taken some time after its stamp is settled.

    Measured from when we first saw the stamp: the file system may stand on another machine, with
    a clock of its own.
    """
    now = time.perf_counter()
    first_seen = before.first_seen if before and before.stamp == stamp else now
    ours = [name for name in os.listdir(directory) if name.endswith(KEY_FILES) or name == MANIFEST]
    ours.sort(key=lambda name: (len(name), name))
    paths = tuple((name, os.path.join(directory, name)) for name in ours)
    return _Listing(stamp, first_seen, now - first_seen >= SETTLED_SECONDS, paths)


def next_number(files: tuple[File, ...]) -> int:
    """One more than the highest number of any key file, distrusted ones included."""
    taken = [Path(name).stem for name, _, _ in files if name.endswith(KEY_FILES)]
    return max((int(stem) for stem in taken if stem.isdecimal()), default=0) + 1


def read_file(path: Path) -> Signer:
    """Read one key; raises `ImproperlyConfigured` by file name, never with its content."""
    refuse_open_to_others(path)
    return _signer(path.name, path.read_bytes, _in_hsm if path.suffix == HSM else _local)


def read_variable() -> Signer | None:
    """The key of `JWT_SIGNING_KEY`, if it is set; the same object as long as it does not change."""
    return _signer(VARIABLE, _content_of_variable, _kept) if settings.JWT_SIGNING_KEY else None


def _content_of_variable() -> bytes:
    content = settings.JWT_SIGNING_KEY.encode()
    if not content.lstrip().startswith(b"-----BEGIN"):
        with suppress(ValueError):  # what is no base64 is no PEM either, and refused as such
            content = base64.b64decode(content)
    return content


def _signer(name: str, content: Callable[[], bytes], read: Callable[[bytes], Signer]) -> Signer:
    try:
        return read(content())
    except PermissionError:
        problem = "readable for this process"
    except ValueError as error:
        problem = str(error)
    # Threat: a debug page shows the variables of every frame that an error has come through, and
    # those of the error that caused it. None of the frames from here on holds the content.
    raise ImproperlyConfigured(f"{name} is not {problem}.")


def _local(content: bytes) -> Signer:
    try:
        private = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError("an unencrypted PEM private key") from error
    return LocalSigner(private)


_kept = lru_cache(maxsize=1)(_local)


def _in_hsm(content: bytes) -> Signer:
    from jwt_api.hsm import Pkcs11Signer  # only where there is one

    return Pkcs11Signer.read(content)


def refuse_open_to_others(path: Path) -> None:
    """Threat: whoever reads a private key can be anybody; who may add one to the folder, too."""
    if os.name != "posix":
        return  # Windows keeps no such bits; a user's own folder is private there.
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ImproperlyConfigured(f"{path.name} is not private: run `chmod 600 {path}`.")
    if path.parent.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ImproperlyConfigured(
            f"{path.parent.name} is not private, others may add keys: "
            f"run `chmod 700 {path.parent}`."
        )
