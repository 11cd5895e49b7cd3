"""Who is asking? In the sessions flow: whoever the record behind the cookie says.

No SQL; one Redis read, or none where Redis announces what changes. Its twin is
`jwt_api.authentication`.
"""

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from accounts.contract.csrf import enforce_csrf
from accounts.contract.flow import Presented
from accounts.models import User
from sessions_api.engine import session_of


class Authentication(BaseAuthentication):
    """The session cookie, and nothing else: a bearer token opens nothing here."""

    check: str | None = None
    """How the session is looked up, "redis" or "push"; None: as SESSION_CHECK says."""

    def authenticate(self, request: Request) -> tuple[User, Presented] | None:
        session = session_of(request._request)
        session.check = self.check
        refusal = session.why_refused()
        if refusal is not None:
            raise refusal
        record, snapshot = session.record, session.snapshot
        if record is None or snapshot is None or SESSION_KEY not in record.data:
            return None
        if request._request.method not in SAFE_METHODS:
            # Threat: the browser sends the cookie along with a request that another site made.
            enforce_csrf(request._request)
        user_id = int(record.data[SESSION_KEY])
        user = User.from_known(id=user_id, **vars(snapshot))
        presented = Presented(
            flow="sessions",
            user_id=user_id,
            epoch=snapshot.epoch,
            device=record.device,
            roles=tuple(user.roles),
        )
        return user, presented

    def authenticate_header(self, request: Request) -> str:
        return 'Session realm="authdemo"'


class AuthenticationScheme(OpenApiAuthenticationExtension):
    """What `/api/schema/` says of this flow's credential."""

    target_class = Authentication
    name = ["sessions"]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[dict[str, str]]:
        cookie = {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "Log in at `/api/sessions/login/`; the browser does the rest.",
        }
        return [cookie]
