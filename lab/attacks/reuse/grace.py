"""How long is a predecessor answered? For a second here, so that nobody has to wait for ten."""

import time

GRACE_SECONDS = 1
GRACE = {"GRACE_SECONDS": str(GRACE_SECONDS)}


def after_the_grace() -> None:
    """Wait until what was exchanged a moment ago is no longer two tabs that refresh at once."""
    time.sleep(GRACE_SECONDS + 0.5)
