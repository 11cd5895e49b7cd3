"""How does a bare machine get what requirements.txt names? From here, before Django is installed.

`python3 -m authdemo.bootstrap requirements.txt -m some.module` runs Python
with those arguments in an environment that has what the file names. An
environment of your own that has it is used as it is; otherwise `.venv` is made
and filled, once, and again when the file has changed.

Standard library only, and no syntax newer than Python 3.8: an old Python has
to get as far as the sentence that says so.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from authdemo.file_lock import lock, try_lock

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = VENV / "installed.json"
OLDEST = (3, 11)
INCLUDE = re.compile(r"^-r\s+(\S+)")
REQUIREMENT = re.compile(r"^(\w[\w.-]*)[^;#]*(?:;\s*sys_platform\s*(==|!=)\s*[\"'](\w+)[\"'])?")
# What pip says, and what the reader should do.
CAUSES = (
    (r"No space left|Errno 28", "The disk is full"),
    (r"CERTIFICATE_VERIFY_FAILED|SSLError", "The package index's certificate is not trusted"),
    (
        r"NewConnection|NameResolution|Name or service|name resolution|Timeout|ProxyError"
        r"|unreachable|refused|Failed to establish",
        "The package index cannot be reached; check the network",
    ),
    (r"Permission denied|Errno 13", "Some file may not be written"),
)


class SetupError(Exception):
    """Raised when the environment cannot be made; the message is for the reader."""


def enter(requirements: str) -> None:
    """Go on in an environment that has what `requirements` names; may start this program anew."""
    python = checked_python(requirements)
    if python == Path(sys.executable) or is_own_venv():
        importlib.invalidate_caches()
        return
    run([str(python), *sys.argv])


def require(requirements: str) -> None:
    """End this program with one sentence unless this Python has what `requirements` names."""
    try:
        check_version()
    except SetupError as error:
        sys.exit(str(error))
    absent = missing(ROOT / requirements)
    if not absent:
        return
    names = ", ".join(absent[:3]) + (" and more" if absent[3:] else "")
    wanted = " ".join(sys.argv[1:])
    sys.exit(
        f"This Python lacks {names}. Two commands help: `python3 -m authdemo.bootstrap "
        f"{requirements}`, then `{VENV_PYTHON.relative_to(ROOT)} manage.py {wanted}`."
    )


def main(arguments: list[str]) -> None:
    """Run Python with `arguments[1:]` in an environment that has what `arguments[0]` names."""
    python = checked_python(arguments[0])
    if arguments[1:]:
        run([str(python), *arguments[1:]])


def checked_python(requirements: str) -> Path:
    """Return `python_for(requirements)`, or end this program with one sentence."""
    try:
        return python_for(ROOT / requirements)
    except SetupError as error:
        sys.exit(str(error))
    except OSError as error:
        sys.exit(f"The environment .venv could not be made in {ROOT}: {error}.")
    except KeyboardInterrupt:
        sys.exit("Interrupted. The same command goes on where this one stopped.")


def python_for(requirements: Path) -> Path:
    """Return a Python that has everything, installing it into `.venv` if need be."""
    check_version()
    if not is_own_venv() and not missing(requirements):
        return Path(sys.executable)
    if not is_current(requirements):
        prepare(requirements)
    return VENV_PYTHON


def prepare(requirements: Path) -> None:
    """Make `.venv` current, one command at a time."""
    # Any file of the checkout will do for a lock; it is not written to.
    with ROOT.joinpath("manage.py").open("r+b") as turn:
        if not try_lock(turn):
            say("Another command is setting up this checkout; waiting for it ...")
            lock(turn)
        if not is_current(requirements):
            make_venv()
            install(requirements)


def check_version() -> None:
    if sys.version_info < OLDEST:
        raise SetupError(
            f"This is Python {version()}, and the project needs 3.11 or newer. With another one: "
            "`make run PYTHON=python3.12`, or `python3.12 manage.py demo`."
        )


def missing(requirements: Path) -> list[str]:
    """Return the named packages that this Python does not have, in any version."""
    absent = []
    for file in closure(requirements):
        for line in file.read_text().splitlines():
            found = REQUIREMENT.match(line)
            if found and applies(found[2], found[3]) and not is_installed(found[1]):
                absent.append(found[1])
    return absent


def applies(operator: str | None, platform: str | None) -> bool:
    return operator is None or (sys.platform == platform) == (operator == "==")


def is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def closure(requirements: Path) -> list[Path]:
    """Return the file and those that it includes."""
    files = [requirements]
    for line in requirements.read_text().splitlines():
        included = INCLUDE.match(line)
        if included:
            files += closure((requirements.parent / included[1]).resolve())
    return files


def digests(requirements: Path) -> dict[str, str]:
    return {
        str(file.relative_to(ROOT)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in closure(requirements)
    }


def installed() -> dict[str, str]:
    """Return what `.venv` has: the digest of each requirements file at its installation."""
    try:
        return dict(json.loads(STAMP.read_text()))
    except (OSError, ValueError):
        return {}


def is_current(requirements: Path) -> bool:
    return VENV_PYTHON.exists() and digests(requirements).items() <= installed().items()


def make_venv() -> None:
    """Make `.venv`, or repair one that an interrupted command left half made."""
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise SetupError(
                f"This Python cannot make environments: it has no {module}. On Debian and Ubuntu: "
                "`sudo apt-get install python3-venv`; then run the same command again."
            )
    if works("import sys; sys.exit(sys.version_info < (3, 11))"):
        if works("import pip"):
            return
        options = []
    else:
        options = ["--clear"]
    say(f"Making .venv with Python {version()} ...")
    finished = call([sys.executable, "-m", "venv", *options, str(VENV)])
    if finished.returncode:
        raise SetupError(f".venv could not be made. {cause(finished.stdout)}")


def works(code: str) -> bool:
    return VENV_PYTHON.exists() and call([str(VENV_PYTHON), "-c", code]).returncode == 0


def install(requirements: Path) -> None:
    name = requirements.relative_to(ROOT)
    say(f"Installing what {name} names into .venv (once; a minute or two) ...")
    options = ["--quiet", "--no-input", "--disable-pip-version-check"]
    finished = call([str(VENV_PYTHON), "-m", "pip", "install", *options, "-r", str(requirements)])
    if finished.returncode:
        raise SetupError(f"The packages could not be installed. {cause(finished.stdout)}")
    draft = STAMP.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps({**installed(), **digests(requirements)}))
    draft.replace(STAMP)


def cause(output: str) -> str:
    for pattern, sentence in CAUSES:
        if re.search(pattern, output):
            return (
                f"{sentence}, then run the same command again: it goes on where this one stopped."
            )
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["It gave no reason."])[-1]


def call(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


def is_own_venv() -> bool:
    return Path(sys.prefix).resolve() == VENV.resolve()


def version() -> str:
    return ".".join(map(str, sys.version_info[:3]))


def run(command: list[str]) -> None:
    """Become `command`; on Windows, which cannot, wait for it and end as it ended."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "nt":
        sys.exit(subprocess.run(command, check=False).returncode)
    os.execv(command[0], command)  # noqa: S606


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
