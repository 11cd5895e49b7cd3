"""Which times and limits pass quickly enough to be waited for? Settings that attacks share.

Attacks with the same settings share a stage, so that there are few of these.
"""

import time

GRACE_SECONDS = 1
ACCESS_SECONDS = 2
SHORT = {
    "GRACE_SECONDS": str(GRACE_SECONDS),
    "ACCESS_SECONDS": str(ACCESS_SECONDS),
    "LEEWAY_SECONDS": "0",
}
NETWORK_LIMIT = 4
# The site comes with 10: fewer are hashed sooner, and the rule is the same.
ACCOUNT_LIMIT = 5
# For those who are alone. Redis is asked for less time than it stalls.
STRICT = {"LOGIN_LIMIT_NETWORK": str(NETWORK_LIMIT), "REDIS_TIMEOUT_SECONDS": "0.5"}


def after_the_grace() -> None:
    """Wait until what was exchanged a moment ago is no longer two tabs that refresh at once."""
    time.sleep(GRACE_SECONDS + 0.5)
