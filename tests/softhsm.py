"""Where is SoftHSM2, and how does a test get a token in it? (`apt-get install softhsm2`)"""

import os
import shutil
import subprocess
from pathlib import Path

TOKEN, PIN = "authdemo", "12345"
PLACES = (
    "/usr/lib/softhsm",
    "/usr/lib64/pkcs11",
    "/usr/local/lib/softhsm",
    "/opt/homebrew/lib/softhsm",
)


def module() -> Path | None:
    """The PKCS#11 library, if this machine has it."""
    if shutil.which("softhsm2-util") is None:
        return None
    found = (Path(place) / "libsofthsm2.so" for place in PLACES)
    return next((path for path in found if path.exists()), None)


def make_token(folder: Path) -> Path:
    """Make a token in `folder`; return the configuration for SOFTHSM2_CONF."""
    (folder / "tokens").mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    subprocess.run(
        [
            "softhsm2-util",
            "--init-token",
            "--free",
            f"--label={TOKEN}",
            f"--pin={PIN}",
            "--so-pin=54321",
        ],
        env={"SOFTHSM2_CONF": str(configuration), "PATH": os.environ["PATH"]},
        check=True,
        capture_output=True,
    )
    return configuration
