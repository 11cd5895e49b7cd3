"""What does Django's SQL session engine remember? One row for each session id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models

if TYPE_CHECKING:
    from lab.strategies.database_sessions import SessionStore


class DatabaseSession(AbstractBaseSession):
    """Django's own columns, and those that find and end a user's sessions without reading all.

    Django's engine is extended in the way that its documentation shows. `session_key` is the
    digest of the id in the cookie: a listing of the table opens nothing.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="database_sessions"
    )
    device = models.CharField(max_length=16)
    epoch = models.PositiveBigIntegerField(help_text="the user's epoch at login")
    ended = models.DateTimeField(null=True, help_text="or refreshed away; good until expire_date")

    @classmethod
    def get_session_store_class(cls) -> type[SessionStore]:
        from lab.strategies.database_sessions import SessionStore

        return SessionStore
