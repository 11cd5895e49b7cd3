"""Who takes part in tests of accounts? (Nothing is imported at the top: see sessions_api's.)"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from accounts.models import User


@pytest.fixture
def admin(db: None) -> User:
    from tests.accounts.people import make

    return make("admin", is_staff=True, is_superuser=True)
