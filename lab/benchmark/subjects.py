"""Whose figures are they? The floors', the strategies' and the peers', in this order."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Subject:
    """A floor is the same view without authentication, behind the middleware of its project.

    `flow`: whose way of staying logged in it is: "sessions", "jwt" or "" (neither).

    `keeps_as`: whose store it shares: what is checked on a request differs, what is kept does not.

    `is_ours`: a strategy of this project, and no library that it is measured against.
    """

    key: str
    flow: str = ""
    is_ours: bool = False
    keeps_as: str = ""


# This project's, and that of the project which the peers stand in: their middleware differs, and
# what is above a floor is above that of its own project.
FLOOR, PEERS_FLOOR = FLOORS = ("floor", "floor-of-peers")
SUBJECTS = (
    Subject(FLOOR),
    Subject("session-database", "sessions", is_ours=True),
    Subject("session-redis", "sessions", is_ours=True),
    Subject("session-push", "sessions", is_ours=True, keeps_as="session-redis"),
    Subject("jwt-naive", "jwt", is_ours=True),
    Subject("jwt-expiry", "jwt", is_ours=True),
    Subject("jwt-lookup", "jwt", is_ours=True, keeps_as="jwt-expiry"),
    Subject("jwt-push", "jwt", is_ours=True, keeps_as="jwt-expiry"),
    Subject("jwt-cookie", "jwt", is_ours=True, keeps_as="jwt-expiry"),
    Subject("sessions", "sessions", is_ours=True),  # what every strategy of the flow shares
    Subject("jwt", "jwt", is_ours=True),
    Subject(PEERS_FLOOR),
    Subject("django-sessions", "sessions"),
    Subject("allauth-session", "sessions"),
    Subject("simplejwt", "jwt"),
    Subject("simplejwt-stateless", "jwt", keeps_as="simplejwt"),
    Subject("allauth-jwt", "jwt"),
    Subject("dj-rest-auth", "jwt"),
    Subject("knox"),
)
ORDER = {subject.key: place for place, subject in enumerate(SUBJECTS)}


def subject(key: str) -> Subject:
    """One that nobody foresaw is neither flow's, and not ours."""
    return SUBJECTS[ORDER[key]] if key in ORDER else Subject(key)


def place(key: str) -> int:
    """Where it stands among the others; what nobody foresaw comes last."""
    return ORDER.get(key, len(ORDER))
