"""Who may make a call? Whoever holds a role, or a credential whose scope names the call.

Both read nothing but what the credential says of itself (`Presented`), so that they work
alike in every flow. They stand in `permission_classes` as DRF's own do, and combine with
`&`, `|` and `~`:

    permission_classes = [IsAuthenticated, HasRole("staff"), HasScope(GET="profile:read")]
"""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission, SingleOperandHolder
from rest_framework.request import Request

from accounts.contract.checking import check
from accounts.contract.flow import Presented

# What a limited credential can be given, in the words that its owner reads.
SCOPES = {
    "profile:read": "Read your profile: names, e-mail address, roles",
    "devices:read": "See where you are logged in",
}


class _Given(SingleOperandHolder, BasePermission):
    """A permission with a parameter. DRF calls what it finds in `permission_classes`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self


class HasRole(_Given):
    """The credential says that its user holds this role (`User.roles`).

    A role that was taken away is gone with the next request in one flow and with the next
    refresh in the other: `role_change_seen` in `lab/differences.py`.
    """

    def __init__(self, role: str) -> None:
        self.role = role

    @check("role", "The credential says that its user holds the role.")
    def has_permission(self, request: Request, view: Any) -> bool:
        presented = request.auth
        return isinstance(presented, Presented) and self.role in presented.roles


class HasScope(_Given):
    """What a limited credential needs for each method; a method that is not named is closed to it.

    A credential that is its user's own login (`Presented.scope` is None) may do everything.
    """

    def __init__(self, **scopes: str) -> None:
        self.scopes = scopes

    def needed(self, method: str | None) -> str | None:
        """The scope that opens a method, if one does."""
        return self.scopes.get("GET" if method == "HEAD" else method or "")

    @check("scope", "The credential is a whole login, or its scope names this call.")
    def has_permission(self, request: Request, view: Any) -> bool:
        presented = request.auth
        if not isinstance(presented, Presented) or presented.scope is None:
            return True
        return self.needed(request.method) in presented.scope
