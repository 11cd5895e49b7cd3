"""What has a thief whose copy went on working? The words and seconds for it."""

from __future__ import annotations

import time

import httpx

from lab.attacks.forged.forging import parts_of
from lab.attacks.person import Person

NOTHING_TO_REFRESH = "There is nothing to refresh with: one token, good for a day."


def good(answer: httpx.Response) -> bool:
    """Whether a request was let in."""
    return answer.is_success


def seconds_left(thief: Person) -> int:
    """For how long the thief's access token is still taken, as it says itself; 0 without one."""
    if thief.access_token is None:
        return 0
    return max(0, int(parts_of(thief.access_token)[1]["exp"] - time.time()))


def for_how_long(thief: Person) -> str:
    """The seconds in words, where the credential tells them."""
    seconds = seconds_left(thief)
    return f" Its `exp` leaves {seconds} seconds, and the leeway." if seconds else ""
