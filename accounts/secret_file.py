"""Where does a secret come from that nobody configured? Made once, kept in a private file."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path


def random_text() -> str:
    """64 random bytes, as text."""
    return secrets.token_urlsafe(64)


def read_or_create(path: Path, make: Callable[[], str] = random_text) -> str:
    """Return the secret in `path`, made on first use and readable by its owner only (0600).

    Two processes that start at once agree: the file appears whole, by a hard
    link that only the first of them can make.
    """
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    secret = make()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text().strip()
