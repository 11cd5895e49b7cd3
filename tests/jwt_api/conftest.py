"""Who takes part in tests of the jwt flow? (Nothing is imported at the top: see sessions_api's.)"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from accounts.models import User


@pytest.fixture
def ada(db: None) -> User:
    from tests.accounts.people import make

    return make("ada")


@pytest.fixture
def grace(db: None) -> User:
    from tests.accounts.people import make

    return make("grace")
