"""Which defences can a session lose? Its CSRF check, its SameSite, and the new id of a login."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

from accounts.contract.errors import CredentialInvalid
from accounts.models import User
from lab.models import DatabaseSession
from lab.strategies import database_sessions
from lab.strategies.row import SameSite
from lab.weakened.row import Weakened
from sessions_api.records import digest_of


class Flow(database_sessions.Flow):
    """Sessions in SQL, in a cookie of their own; its ids are no ids of any other flow."""

    icon = "⚠"

    def __init__(self, key: str, samesite: SameSite = "Lax") -> None:
        super().__init__()
        self.key, self.salt = key, f":{key}"  # type: ignore[misc]
        self._samesite = samesite

    @property
    def cookie_name(self) -> str:
        return f"{settings.COOKIE_PREFIX}{self.key}"

    @property
    def samesite(self) -> SameSite:
        return self._samesite


class KeepsPlantedId(Flow):
    def new_id(self, request: HttpRequest, user: User) -> str:
        """The id that came along with the login, whoever chose it: session fixation."""
        try:
            planted = self.presented_id(request)
        except CredentialInvalid:
            planted = None
        if planted is None:
            return super().new_id(request, user)
        DatabaseSession.objects.filter(pk=digest_of(planted)).delete()
        return planted


# --- the rows -------------------------------------------------------------------------------

EACH_REQUEST = "Two SQL statements, as its sound sibling."

ROWS = (
    Weakened(
        key="session-no-csrf",
        flow=Flow("session-no-csrf"),
        variant_of="sessions",
        title="Session, no CSRF check",
        each_request=EACH_REQUEST,
        lives_after="Until the next request.",
        sound="session-database",
        removed="The CSRF check. The cookie is SameSite=Lax as before.",
        weak=(
            "SameSite=Lax keeps the cookie out of forms of other sites, and of no form of the same "
            "site: another port, or a sibling subdomain that somebody took over, acts as the user."
        ),
        checks_csrf=False,
    ),
    Weakened(
        key="session-samesite-none",
        flow=Flow("session-samesite-none", samesite="None"),
        variant_of="sessions",
        title="Session, SameSite=None",
        each_request=EACH_REQUEST,
        lives_after="Until the next request.",
        sound="session-database",
        removed="SameSite, the CSRF check, and the rule that a body is called JSON.",
        weak=(
            "Any page that the user opens can act as the user, and can log the browser in as "
            "somebody else. This is how an application ends that was made to work in a frame."
        ),
        checks_csrf=False,
        takes_any_body=True,
    ),
    Weakened(
        key="session-fixation",
        flow=KeepsPlantedId("session-fixation"),
        variant_of="sessions",
        title="Session, id kept at login",
        each_request=EACH_REQUEST,
        lives_after="Until the next request.",
        sound="session-database",
        removed="The new id of a login: one that the browser brings along is taken.",
        weak=(
            "Whoever can set a cookie for this host chooses the id, waits for the login, and is "
            "logged in as well. No secret had to be stolen."
        ),
    ),
)
