"""How does Django's `request.session` stand on our store? As its `SESSION_ENGINE`.

Login pages, admin and browsable API thereby stand on the same sessions as the
contract. The store is `sessions_api.store`.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import replace
from typing import Any, cast

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase, UpdateError
from django.http import HttpRequest

from accounts.contract.checking import check
from accounts.contract.errors import (
    ContractError,
    CredentialExpired,
    CredentialInvalid,
    CredentialRevoked,
)
from accounts.contract.flow import new_device_id
from accounts.snapshots import Snapshot
from accounts.suspicion.consequences import carry_out
from accounts.suspicion.history import sighting_of
from accounts.suspicion.policy import Action, Verdict, judge
from accounts.suspicion.rules import Use
from sessions_api import store
from sessions_api.records import (
    ANONYMOUS,
    SESSION_ID,
    Record,
    decode,
    new_session_id,
    user_of,
)


def session_of(request: HttpRequest) -> SessionStore:
    """The session of a request, as what it is."""
    return cast(SessionStore, request.session)


class SessionStore(SessionBase):
    """Django's `request.session` over this store.

    After a load, `record` and `snapshot` hold what Redis said; `refusal` says why an
    id that came with the request was not accepted.
    """

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key)
        self.record: Record | None = None
        self.snapshot: Snapshot | None = None
        self.refusal: ContractError | None = None
        self.refused: str | None = None
        """The id that came along, where it is not accepted: it may have been refreshed away."""
        self.client = ("", "")
        """Address and browser of the client, for the device list; the middleware sets it."""
        self.check: str | None = None
        """How the id is looked up, "redis" or "push"; None: as SESSION_CHECK says."""
        self.request: HttpRequest | None = None
        """Who is asking, for the rules of suspicion; None where no request is."""
        self._malformed = bool(session_key) and self.session_key is None
        self._retired: str | None = None
        self._continued: tuple[str, int | None] | None = None
        """Of a session that `cycle_key` has given another id: the one before, and its epoch."""
        self._is_new = False
        self._written: tuple[str, str | bytes] = ("", "")
        """The id and what Redis holds under it: the data, or the record as it was read."""
        self._flushed = False

    @property
    def raw(self) -> bytes | None:
        """The record as Redis held it when it was read; None where its data were written since."""
        held = self._written[1]
        return held if isinstance(held, bytes) else None

    def _validate_session_key(self, key: str | None) -> bool:
        return key is not None and SESSION_ID.fullmatch(key) is not None

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        if key == SESSION_KEY:
            # Threat: Django keeps the id when the same user logs in again, so a stolen one would
            # outlive the login that was meant to end it. Setting the user always starts a device.
            self._start(new_device=True)
            # So would whoever was faster to refresh a copy of it: the victim's is refused since.
            self._retired = self._retired or self.refused

    def load(self) -> dict[str, Any]:
        session_id = self.session_key
        assert session_id is not None
        raw, record, snapshot = store.read(session_id, self.check)
        self.refusal = self._refusal_of(session_id, raw, record, snapshot)
        if self.refusal is None:
            assert raw is not None
            assert record is not None
            self._written = (session_id, raw)
            self.refusal = self._note_use(session_id, raw, record)
        if self.refusal is not None:
            # Never adopt an id that the client chose: it would be the attacker's who planted it.
            self._session_key, self.refused = None, session_id
            return {}
        assert record is not None
        self.record, self.snapshot = record, snapshot
        return record.data

    @check("suspicion", "It is used as its owner would use it; a changed use is written down.")
    def _note_use(self, session_id: str, raw: bytes, record: Record) -> ContractError | None:
        """Write down a good id's use, once a minute or when something about it is new.

        Nothing more is read for that. What looks like somebody else's use ends the device.
        """
        verdict = self._judge(record) if user_of(session_id) != ANONYMOUS else None
        if verdict is not None and verdict.action.ends:
            return self._end_suspected(session_id, record, verdict)
        touch_after = min(60, settings.SESSION_COOKIE_AGE / 10)
        # A server whose clock is behind notes the use as well, or the idle time would pass.
        is_due = abs(time.time() - record.seen) >= touch_after
        if record.rotated or not (is_due or (verdict is not None and verdict.changed)):
            return None
        if verdict is not None:
            record.history = verdict.history.encode()
        if store.touch(session_id, raw, record):
            self._written = (session_id, record.encode().encode())
            # Of requests that see the same at once, the one that wrote it down tells of it.
            if verdict is not None and verdict.action:
                self._carry_out(session_id, record, verdict)
        return None

    def _judge(self, record: Record) -> Verdict | None:
        # Most devices are where they logged in, and then there is nothing to compare.
        is_at_home = not record.history and self.client == (record.ip, record.agent)
        if self.request is None or is_at_home:
            return None
        return judge(record.past, Use(sighting_of(self.request)))

    def _end_suspected(self, session_id: str, record: Record, verdict: Verdict) -> ContractError:
        """End the device, and tell of it if no other request was first."""
        lineage = store.lineage_of(session_id)
        ends_all = verdict.action is Action.END_ALL
        if ends_all or store.end_sessions(user_of(session_id), record.device, also=lineage):
            self._carry_out(session_id, record, verdict)
        return CredentialRevoked(f"suspicion: {verdict.sentence}")

    def _carry_out(self, session_id: str, record: Record, verdict: Verdict) -> None:
        assert self.request is not None
        carry_out(
            self.request,
            verdict,
            flow="sessions",
            user_id=user_of(session_id),
            device=record.device,
            epoch=record.epoch or 0,
        )

    def _refusal_of(
        self, session_id: str, raw: bytes | None, record: Record | None, snapshot: Snapshot | None
    ) -> ContractError | None:
        gone = self._gone(session_id, raw, record)
        if gone is not None or record is None:
            return gone
        return (
            self._over(record)
            or self._mistaken(session_id, record)
            or self._ended(session_id, record, snapshot)
        )

    @check(
        "record", "Redis has a record of it: nobody has ended it, and its idle time is not over."
    )
    def _gone(
        self, session_id: str, raw: bytes | None, record: Record | None
    ) -> ContractError | None:
        if raw is None:
            return store.why_gone(session_id)
        return CredentialInvalid("unreadable record") if record is None else None

    @check("absolute end", "Its absolute lifetime is not over, however often it was renewed.")
    def _over(self, record: Record) -> ContractError | None:
        if time.time() >= record.absolute_end:
            return CredentialExpired("absolute lifetime is over")
        return None

    @check("holder", "The record is of the user whom the id names.")
    def _mistaken(self, session_id: str, record: Record) -> ContractError | None:
        user_id = user_of(session_id)
        if record.data.get(SESSION_KEY) != (str(user_id) if user_id != ANONYMOUS else None):
            # Threat: a record moved under another user's id would borrow that user's snapshot.
            return CredentialInvalid("record and id name different users")
        return None

    def _ended(
        self, session_id: str, record: Record, snapshot: Snapshot | None
    ) -> ContractError | None:
        if user_of(session_id) == ANONYMOUS:
            return None
        if snapshot is None or not snapshot.admits(record.epoch):
            return CredentialRevoked("epoch, inactive or deleted")
        return None

    def why_refused(self) -> ContractError | None:
        """Load, and say what is wrong with the id that came along; None if nothing is."""
        malformed = self._misshapen()
        if malformed is not None:
            return malformed
        self._get_session()  # type: ignore[attr-defined]
        return self.refusal

    @check("session id", "What came as a session id, if anything did, has the form of one.")
    def _misshapen(self) -> ContractError | None:
        return CredentialInvalid("malformed session id") if self._malformed else None

    def exists(self, session_key: str) -> bool:
        return self._validate_session_key(session_key) and store.read(session_key)[1] is not None

    def create(self) -> None:
        self._session_cache: dict[str, Any] = {}
        self._start(new_device=True)
        self.save(must_create=True)

    def save(self, must_create: bool = False) -> None:
        """Write; raises `UpdateError` when the session was ended meanwhile."""
        data = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
        if self.session_key is None:
            self._start(new_device=True)
        session_id = self.session_key
        assert session_id is not None
        if self._is_written(session_id, data):
            return
        if self._is_new or must_create:
            self._write_new(session_id, data)
        elif not store.write_data(session_id, data):
            raise UpdateError
        self._written = (session_id, _encoded(data))

    def _is_written(self, session_id: str, data: dict[str, Any]) -> bool:
        written_id, held = self._written
        if isinstance(held, bytes):  # encoded here, where few requests come, and not at each load
            record = decode(held)
            held = _encoded(record.data) if record is not None else ""
        return (written_id, held) == (session_id, _encoded(data))

    def _write_new(self, session_id: str, data: dict[str, Any]) -> None:
        assert self.record is not None
        self.record.data = data
        old_id, epoch = self._continued or ("", None)
        # A new epoch comes with a new password, which ends all of the old one's sessions itself.
        if old_id and epoch == self.record.epoch:
            is_written = store.replace(old_id, session_id, self.record)
        else:
            is_written = store.write_new(session_id, self.record)
        if not is_written:
            raise UpdateError
        self._is_new, self._continued = False, None
        if self._retired is not None:
            store.end_session(self._retired)
            self._retired = None

    def cycle_key(self) -> None:
        """A new id for the same data; it is written, and the old one ended, at `save`."""
        self._get_session()  # type: ignore[attr-defined]
        if self.session_key is not None and not self._is_new:
            self._continued = (self.session_key, self.record.epoch if self.record else None)
        self._start(new_device=False)
        self.modified = True

    def _start(self, *, new_device: bool) -> None:
        data = self._session_cache
        self._retired = self._retired or (None if self._is_new else self.session_key)
        self._session_key = new_session_id(int(data.get(SESSION_KEY, ANONYMOUS)))
        self._is_new = True
        if new_device or self.record is None:
            self._continued = None
            now = int(time.time())
            ip, agent = self.client
            self.record = Record(new_device_id(), now, now, ip, agent, data)
        else:
            # A device of its own: the one that the old id belongs to is ended with it. `created`
            # stays, and with it the absolute end.
            self.record = replace(self.record, device=new_device_id(), rotated=False)

    def adopt(self, session_id: str, record: Record) -> None:
        """Continue as the successor that `rotate` made; the middleware sends its cookie."""
        self._session_key = session_id
        self._session_cache = record.data
        self.record = record
        self._written = (session_id, _encoded(record.data))
        self.modified = True

    def delete(self, session_key: str | None = None) -> None:
        session_id = session_key or self.session_key
        unwritten = self._is_new and session_id == self.session_key
        if self._validate_session_key(session_id) and not unwritten:
            store.end_session(session_id or "")

    def flush(self) -> None:
        """End the session; raises `StoreUnavailable` unless Redis has confirmed."""
        if self._retired is not None:
            store.end_session(self._retired)
            self._retired = None
        self.delete()
        self.clear()
        self._session_key = None
        self._is_new, self.record, self._flushed = False, None, True

    # Django's asynchronous versions go past the three methods above that are not its own.

    async def aset(self, key: str, value: Any) -> None:
        await sync_to_async(self.__setitem__)(key, value)

    async def acycle_key(self) -> None:
        await sync_to_async(self.cycle_key)()

    async def aflush(self) -> None:
        await sync_to_async(self.flush)()

    def is_empty(self) -> bool:
        """Whether the middleware shall delete the cookie: after a logout, and only then.

        Threat: a late answer to a request with an old id would otherwise delete the
        cookie that a refresh or login in another tab has just set.
        """
        return self._flushed and super().is_empty()

    def get_expiry_age(self, **kwargs: Any) -> int:
        """Seconds that the browser may keep the cookie: until the absolute end.

        The idle time is the server's to enforce; a shorter cookie would end a session in use.
        Lifetimes are those of the settings: `set_expiry` changes nothing here.
        """
        if self.record is None:
            return settings.ABSOLUTE_SECONDS
        # Rounded up: `Max-Age=0` would take a cookie away that is good for half a second yet.
        return max(0, math.ceil(self.record.absolute_end - time.time()))

    @classmethod
    def clear_expired(cls) -> None:
        """Nothing to do: every key has a TTL."""


# Made once: `json.dumps` makes an encoder for every call that asks for more than its defaults.
_encoded = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
