"""Where are the peers installed? In an environment that nothing else of ours sees."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from django.conf import settings

from lab.staging.processes import StageError, finish

REQUIREMENTS = Path(__file__).parent.parent / "requirements.txt"
NAMES = ("django-rest-knox", "django-allauth", "dj-rest-auth", "granian", "waitress")
TELL = (
    "import json, sys; from importlib.metadata import version; "
    "print(json.dumps({name: version(name) for name in sys.argv[1:]}))"
)


def python_with_peers(folder: Path) -> Path:
    """The Python that has them; made once, and anew when a requirement has changed."""
    python = folder / "bin" / "python"
    stamp = folder / "installed.txt"
    wanted = digest()
    if not stamp.exists() or stamp.read_text() != wanted:
        make(folder, python)
        stamp.write_text(wanted)
    return python


def digest() -> str:
    files = (REQUIREMENTS, settings.BASE_DIR / "requirements.txt")
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def make(folder: Path, python: Path) -> None:
    # Most of what would be compiled is never imported.
    options = ("--quiet", "--no-input", "--disable-pip-version-check", "--no-compile")
    try:
        finish({}, sys.executable, "-m", "venv", "--clear", folder)
        finish({}, python, "-m", "pip", "install", *options, "-r", REQUIREMENTS)
    except StageError as error:
        raise StageError(
            f"The peers could not be installed: {error} Without them: --subjects session-redis "
            "jwt-expiry."
        ) from error


def versions(python: Path) -> dict[str, str]:
    """Which versions of the peers are measured."""
    found: dict[str, str] = json.loads(finish({}, python, "-c", TELL, *NAMES))
    return found
