"""What does one session look like in Redis? Its id, the names of its keys, its record.

`sessions_api.store` reads and writes them.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.signing import b64_encode
from django.utils.crypto import salted_hmac

from accounts.suspicion.history import History

logger = logging.getLogger("authdemo.sessions")

# Not `json.loads`, which would ask first whether bytes are UTF-16 or UTF-32.
_from_json = json.JSONDecoder().decode
_to_json = json.JSONEncoder(separators=(",", ":")).encode

SESSION_ID = re.compile(r"(0|[1-9][0-9]{0,17})\.([A-Za-z0-9_-]{43})", re.ASCII)
ANONYMOUS = 0
# Who let a login in, unless its record says otherwise. Django looks that it still is in use.
BACKEND = "accounts.backends.ThrottledBackend"
LATEST = 2**36  # Unix seconds, in the year 4147; Python's dates overflow further on


# --- names ----------------------------------------------------------------------------------


def new_session_id(user_id: int) -> str:
    """`<user id>.<256 random bits>`; the user's id finds the hash tag without a lookup."""
    return f"{user_id}.{secrets.token_urlsafe(32)}"


def successor_id(session_id: str) -> str:
    """The one id that a refresh of `session_id` leads to.

    Derived, not drawn: two tabs that refresh at once get the same successor, and
    nobody had to store it. Without SECRET_KEY it cannot be computed.
    """
    user_id = session_id.partition(".")[0]
    mac = salted_hmac("sessions_api.records.successor_id", session_id, algorithm="sha256").digest()
    return f"{user_id}.{b64_encode(mac).decode()}"


@lru_cache(maxsize=4096)
def digest_of(session_id: str) -> str:
    """128 bits of SHA-256; the id has 256 random bits, so that no salt is needed.

    Remembered, as all that an id says is: whoever is logged in comes again with each request.
    """
    return b64_encode(sha256(session_id.encode()).digest()[:16]).decode()


@lru_cache(maxsize=4096)
def user_of(session_id: str) -> int:
    """The user's id that stands in the session id; 0 for an anonymous session."""
    return int(session_id.partition(".")[0])


def session_key_name(user_id: int, digest: str) -> str:
    return f"session:{{{user_id}}}:{digest}"


@lru_cache(maxsize=4096)
def names_read_for(session_id: str) -> tuple[str, str]:
    """Under which names stand the record of a session, and the snapshot of its user?"""
    user_id = user_of(session_id)
    return session_key_name(user_id, digest_of(session_id)), snapshot_name(user_id)


def index_name(user_id: int) -> str:
    return f"sessions:{{{user_id}}}"


def ended_name(user_id: int) -> str:
    return f"ended:{{{user_id}}}"


def snapshot_name(user_id: int) -> str:
    return f"user:{{{user_id}}}"


# --- records --------------------------------------------------------------------------------


@dataclass
class Record:
    """One session, as Redis holds it. Times are Unix seconds.

    `rotated` marks the predecessor of a refreshed session: it is answered for the
    grace interval, so that requests under way are not torn, and never extended.
    `history` is what `accounts.suspicion.history` keeps of a device that was used elsewhere.
    """

    device: str
    created: int
    seen: int
    ip: str
    agent: str
    data: dict[str, Any]
    rotated: bool = False
    history: dict[str, Any] = field(default_factory=dict)

    @property
    def absolute_end(self) -> int:
        return self.created + settings.ABSOLUTE_SECONDS

    @property
    def epoch(self) -> int | None:
        """The user's epoch at login; it leads the session auth hash (`accounts.models.User`)."""
        head = str(self.data.get(HASH_SESSION_KEY, "")).partition(".")[0]
        return int(head) if head.isdecimal() and len(head) < 20 else None

    def idle_seconds(self, now: float) -> int:
        """How long Redis keeps it if it stays unused: never past the absolute end."""
        return int(min(settings.SESSION_COOKIE_AGE, self.absolute_end - now))

    def encode(self) -> str:
        """JSON: `[device, created, seconds until seen, ip, agent, user id, auth hash]`.

        And a last member, an object, for what most sessions have not: other `data`, `rotated`,
        `history`. Names would weigh more than what they name: an ordinary session has 280 bytes
        of JSON with them, and 110 without.
        """
        data = dict(self.data)
        login = [data.pop(SESSION_KEY, None), data.pop(HASH_SESSION_KEY, None)]
        if login[0] is not None and data.get(BACKEND_SESSION_KEY) == BACKEND:
            del data[BACKEND_SESSION_KEY]
        rare = {"data": data, "rotated": self.rotated, "history": self.history}
        more = {name: value for name, value in rare.items() if value}
        used_after = self.seen - self.created
        values = [self.device, self.created, used_after, self.ip, self.agent, *login]
        return _to_json([*values, more] if more else values)

    @property
    def past(self) -> History:
        """From where it was used, for the rules of suspicion."""
        return History.decode(self.history, ip=self.ip, user_agent=self.agent, created=self.created)


def decode(raw: bytes) -> Record | None:
    """The record, or None for anything else that stands under the key.

    Threat: who can write to Redis must not run code here. JSON is data; a pickle
    would be a program.
    """
    try:
        record = _record(*_from_json(raw.decode()))
    except (ValueError, TypeError, RecursionError):
        logger.error("a session record is not readable")
        return None
    return record if _is_moment(record.created) and _is_moment(record.seen) else None


def _record(
    device: str,
    created: int,
    used_after: int,
    ip: str,
    agent: str,
    user_id: str | None,
    auth_hash: str | None,
    more: dict[str, Any] | None = None,
) -> Record:
    """What `Record.encode` wrote; raises `TypeError` for whatever it would not write."""
    rest = {} if more is None else dict(**more)
    data = dict(**rest.pop("data", {}))
    if user_id is not None:
        data = {SESSION_KEY: user_id, BACKEND_SESSION_KEY: BACKEND, **data}
    if auth_hash is not None:
        data[HASH_SESSION_KEY] = auth_hash
    return Record(device, created, created + used_after, ip, agent, data, **rest)


def _is_moment(value: object) -> bool:
    return type(value) is int and 0 <= value < LATEST
