"""How do processes of one checkout take turns? By locks that the kernel drops at their death.

Standard library only: `bootstrap` needs this before anything is installed.
"""

import os
import sys
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# Surprise: a Windows lock forbids others to *read* the locked bytes, so one far behind the end
# of the file is locked there.
WINDOWS_OFFSET = 1 << 30


def open_lock(path: Path) -> IO[bytes]:
    """Open `path` for locking; made if need be, readable by its owner only."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")


def try_lock(file: IO[bytes], *, shared: bool = False) -> bool:
    """Take the lock if it is free now. Closing the file gives it back.

    A forked child shares the lock: it is free when the last of them has
    closed the file or died. A program started by exec does not inherit it.
    """
    try:
        _take(file, shared=shared, wait=False)
    except OSError:
        return False
    return True


def lock(file: IO[bytes], *, shared: bool = False) -> None:
    """Take the lock, waiting for as long as others hold it."""
    _take(file, shared=shared, wait=True)


def is_locked(path: Path) -> bool:
    """Is somebody holding this lock?"""
    if not path.exists():
        return False
    with open_lock(path) as file:
        return not try_lock(file, shared=True)


if sys.platform == "win32":

    def _take(file: IO[bytes], *, shared: bool, wait: bool) -> None:
        file.seek(WINDOWS_OFFSET)
        while True:
            try:
                # LK_LOCK gives up after ten tries, one each second.
                msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
                return
            except OSError:
                if not wait:
                    raise

else:

    def _take(file: IO[bytes], *, shared: bool, wait: bool) -> None:
        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        fcntl.flock(file, mode if wait else mode | fcntl.LOCK_NB)
