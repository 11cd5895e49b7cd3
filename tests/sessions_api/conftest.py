"""What do tests of the session store stand on? The site's own Redis, and a session or two.

Surprise: pytest reads this file before Django is set up when it stands on the command
line, so that nothing of the project's is imported at its top.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from accounts.models import User
    from sessions_api.engine import SessionStore


@pytest.fixture
def redis() -> Any:
    from sessions_api import store

    return store.redis()


@pytest.fixture
def start() -> Callable[..., SessionStore]:
    """Log a user in without HTTP: the session that a login would leave in Redis."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from sessions_api.engine import SessionStore

    def start(user: User, **more: Any) -> SessionStore:
        session = SessionStore()
        session.client = ("127.0.0.1", "unknown")  # as the requests of the tests will be
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "accounts.backends.ThrottledBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.update(more)
        session.save()
        return session

    return start
