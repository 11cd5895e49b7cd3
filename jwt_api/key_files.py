"""Where do the keys come from, and which are refused? Files of `JWT_KEYS_DIR`, or one variable.

    <number>.pem      a private key, unencrypted
    <number>.pkcs11   where an HSM keeps one, and its public half (`jwt_api.hsm`)
    ring.json         which key signs, and what became of the others (`jwt_api.manifest`)

`JWT_SIGNING_KEY`, if set, is the key that signs: a PEM, or the base64 of one.
"""

import base64
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

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


def files_in(directory: Path) -> tuple[File, ...]:
    """Each file that makes up the ring, oldest name first: 9.pem comes before 10.pem.

    Raises `FileNotFoundError` when one goes while we look.
    """
    if not directory.exists():
        return ()
    with os.scandir(directory) as entries:
        found = [
            (entry.name, _last_changed(entry.stat()), entry.inode())
            for entry in entries
            if entry.name.endswith(KEY_FILES) or entry.name == MANIFEST
        ]
    return tuple(sorted(found, key=lambda file: (len(file[0]), file[0])))


def _last_changed(file: os.stat_result) -> int:
    """Nanoseconds. A copy may keep the time of its content, so that of the file counts as well."""
    return max(file.st_mtime_ns, file.st_ctime_ns)


def next_number(directory: Path) -> int:
    """One more than the highest number of any key file, distrusted ones included."""
    taken = [Path(name).stem for name, _, _ in files_in(directory) if name.endswith(KEY_FILES)]
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
