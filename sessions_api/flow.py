"""How does a session begin, go on and end? Its twin is `jwt_api.flow`."""

from datetime import UTC, datetime

from django.conf import settings
from django.contrib.auth import SESSION_KEY, login
from django.http import HttpRequest, HttpResponseBase

from accounts.contract import flow as contract
from accounts.contract.errors import CredentialRevoked, NotAuthenticated
from accounts.contract.flow import Credential, Device, EndedDevice, Remembered
from accounts.models import User
from sessions_api import store
from sessions_api.authentication import Authentication
from sessions_api.engine import SessionStore, session_of
from sessions_api.records import ANONYMOUS, user_of


class Flow(contract.Flow):
    """The client holds an opaque id in a cookie; Redis holds all that it means."""

    key = "sessions"
    title = "Sessions"
    icon = "▤"
    scheme = "Session"
    summary = (
        "The browser holds an opaque id in a cookie. Everything it means stands in Redis, "
        "so that ending it takes effect with the very next request."
    )
    authentication = Authentication

    def issue(self, request: HttpRequest, user: User) -> Credential:
        leave_outdated_session(request, user)
        # Django's own login: it drops another user's session, and the store starts a new id.
        login(request, user)
        # Written now, not by the middleware on the way out: a login that Redis did not take
        # must not be answered, or recorded, as one.
        session_of(request).save()
        store.refresh_snapshot(user.pk)
        return self._credential(session_of(request))

    def renew(self, request: HttpRequest) -> Credential:
        session = session_of(request)
        refusal = session.why_refused()
        if refusal is not None:
            raise refusal
        if session.session_key is None or user_of(session.session_key) == ANONYMOUS:
            raise NotAuthenticated
        # A refresh reads the row itself, whatever the copy in Redis says: once in a while somebody
        # must, and a Redis that was put back to an older state would be believed otherwise.
        assert session.record is not None
        snapshot = store.snapshot_of_row(user_of(session.session_key), session.snapshot)
        if not snapshot.admits(session.record.epoch):
            raise CredentialRevoked("epoch, inactive or deleted")
        session.adopt(*store.rotate(session.session_key, session.raw))
        return self._credential(session)

    def revoke(self, request: HttpRequest) -> EndedDevice | None:
        session = session_of(request)
        ended = None
        if session.why_refused() is None and SESSION_KEY in session:
            assert session.record is not None
            ended = EndedDevice(user_id=int(session[SESSION_KEY]), device=session.record.device)
        elif session.refused is not None:
            # It may have been refreshed away a moment ago, in another tab: what it led to ends.
            store.end_session(session.refused)
        session.flush()
        return ended

    def revoke_device(self, user_id: int, device: str) -> bool:
        return store.end_sessions(user_id, device) > 0

    def user_changing(self, user_id: int) -> None:
        store.distrust_snapshot(user_id)

    def user_changed(self, user_id: int) -> None:
        snapshot = store.refresh_snapshot(user_id, committed=True)
        # They are refused already; what is dead shall not lie in Redis for days.
        store.end_sessions(user_id, keep_epoch=snapshot.epoch if snapshot.is_active else None)

    def devices(self, user_id: int) -> list[Device]:
        return [
            Device(
                id=record.device,
                flow=self.key,
                created=_moment(record.created),
                last_seen=_moment(record.seen),
                expires=_moment(
                    min(record.absolute_end, record.seen + settings.SESSION_COOKIE_AGE)
                ),
                ip=record.ip,
                user_agent=record.agent,
                ends_within=0,
            )
            for _, record in store.live_records(user_id)
        ]

    def remembered(self, user_id: int) -> list[Remembered]:
        return store.remembered(user_id)

    def deliver(self, response: HttpResponseBase, credential: Credential) -> None:
        """Nothing to do: Django's session middleware sends the cookie."""

    def discard(self, response: HttpResponseBase) -> None:
        response.delete_cookie(
            settings.SESSION_COOKIE_NAME,
            path=settings.SESSION_COOKIE_PATH,
            samesite=settings.SESSION_COOKIE_SAMESITE,
        )

    def _credential(self, session: SessionStore) -> Credential:
        assert session.record is not None
        return Credential(
            scheme=self.scheme,
            token=None,
            expires_in=session.record.idle_seconds(session.record.seen),
            user_id=user_of(session.session_key or ""),
            device=session.record.device,
        )


def leave_outdated_session(request: HttpRequest, user: User) -> None:
    """Begin anew beside a session of this user that an epoch ends which is not committed yet.

    Django's login would end it at once; should the commit fail, the user would be logged out by a
    password change that never was. After the commit `user_changed` clears it away.
    """
    session = session_of(request)
    if session.session_key is None or user_of(session.session_key) != user.pk:
        return
    if session.why_refused() is None and session.record and session.record.epoch != user.epoch:
        request.session = SessionStore()
        session_of(request).client = session.client
        session_of(request).request = request


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


flow = Flow()
