"""What does a session id mean, and what does the server ask of one that is presented?

It never leaves the server here: the page is told the digest under which the record stands.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY

from accounts.contract.checking import noted
from lab.token.checks import Check, report
from sessions_api import store
from sessions_api.engine import SessionStore
from sessions_api.records import SESSION_ID, decode, digest_of, session_key_name, user_of

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
HIDDEN = "…"
"""In the place of the HMAC of the password's hash, which is nobody's to read."""

CHECKS = (
    Check(
        "session id",
        "A user's number, a dot and 43 base64url characters",
        "paths, wildcards and whatever else a key of Redis could be made to mean",
    ),
    Check(
        "record",
        "Redis holds a record under the digest of the id, and it is JSON of our form",
        "who guesses an id or changes one; who holds a copy after the logout; and who can write to "
        "Redis, for JSON is data and a pickle would be a program",
    ),
    Check(
        "absolute end",
        "The absolute lifetime is not over, however often it was used",
        "who keeps a stolen session alive by using it",
    ),
    Check(
        "holder",
        "Record and id name the same user",
        "a record that was moved under another user's id",
    ),
    Check(
        "epoch",
        "The user may log in, and has not logged out everywhere since",
        "every copy that is older than a new password",
    ),
)


def check(session_id: str) -> dict[str, Any]:
    """Look an id up as every request does, and say what came of it. Any text but none.

    The rules of suspicion are left out: they look at who asks, and would end the device.
    """
    with noted() as runs:
        refusal = SessionStore(session_id).why_refused()
    answer = report(CHECKS, runs, refusal)
    if SESSION_ID.fullmatch(session_id) is None:
        return {**answer, "digest": None, "key": None}
    digest = digest_of(session_id)
    return {**answer, "digest": digest, "key": session_key_name(user_of(session_id), digest)}


def describe(session_id: str) -> dict[str, Any] | None:
    """What Redis says of an id, without what would help a thief; None if there is no record.

    `raw` is the record as it stands there, `record` the same with its names; times in seconds.
    """
    name = session_key_name(user_of(session_id), digest_of(session_id))
    with store.store_errors():
        pipe = store.redis().pipeline(transaction=False)
        pipe.get(name)
        pipe.ttl(name)
        raw, seconds = pipe.execute()
    record = decode(raw) if raw is not None else None
    if record is None:
        return None
    epoch, _, secret = str(record.data.get(HASH_SESSION_KEY, "")).partition(".")
    data = {**record.data, HASH_SESSION_KEY: f"{epoch}.{HIDDEN}"} if secret else record.data
    return {
        "raw": raw.decode().replace(secret, HIDDEN) if secret else raw.decode(),
        "record": {**asdict(record), "data": data},
        "bytes": len(raw),
        "ttl": seconds,
        "absolute": max(0, int(record.absolute_end - time.time())),
    }


def edited(session_id: str, at: int) -> str:
    """The id with one character changed by one bit of what it stands for."""
    at %= len(session_id)
    old = session_id[at]
    new = ALPHABET[ALPHABET.index(old) ^ 1] if old in ALPHABET else "A"
    return session_id[:at] + new + session_id[at + 1 :]


def presented(cookies: dict[str, str]) -> str | None:
    """The id that came with the request, if it can be one."""
    session_id = cookies.get(settings.SESSION_COOKIE_NAME, "")
    return session_id if SESSION_ID.fullmatch(session_id) else None
