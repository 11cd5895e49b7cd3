"""Which key signs, and what became of the others? `ring.json`, beside the key files.

    {"signing": "<kid>",
     "retired": {"<kid>": 1767225600.0},      until when tokens that it signed may live
     "distrusted": {"<kid>": 1767225600.0}}   since when nothing that it signed is believed

Times are Unix seconds. A key that it does not name is the next one. Without the file the oldest
key signs.
"""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.files import locks

from jwt_api.key_files import MANIFEST, refuse_open_to_others


@dataclass
class Manifest:
    signing: str = ""
    retired: dict[str, float] = field(default_factory=dict)
    distrusted: dict[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, directory: Path) -> "Manifest":
        """Raises `ImproperlyConfigured` for a broken one: it may have named a stolen key."""
        path = directory / MANIFEST
        try:
            refuse_open_to_others(path)
            found = cls(**json.loads(path.read_text()))
            kids = [*found.retired.items(), *found.distrusted.items()]
            whole = isinstance(found.signing, str) and all(
                isinstance(kid, str) and isinstance(at, int | float) for kid, at in kids
            )
        except FileNotFoundError:
            return cls()
        except (ValueError, TypeError, AttributeError) as error:
            raise ImproperlyConfigured(f"{MANIFEST} is not what `keys` has written.") from error
        if not whole:
            raise ImproperlyConfigured(f"{MANIFEST} is not what `keys` has written.")
        return found

    def write(self, directory: Path) -> None:
        """Whole or not at all: others read it meanwhile, and the power may go."""
        draft = directory / f".{MANIFEST}.{secrets.token_hex(4)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(self), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(directory / MANIFEST)


@contextmanager
def one_at_a_time(directory: Path) -> Iterator[None]:
    """Two commands that change the ring wait for each other; requests wait for neither."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / ".lock").open("a") as file:
        locks.lock(file, locks.LOCK_EX)
        yield
