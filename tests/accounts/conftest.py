"""Who takes part in tests of accounts? (Nothing is imported at the top: see sessions_api's.)"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_django import Settings
    from redis import Redis

    from accounts.models import User
    from tests.accounts.mirroring import LateClient
    from tests.outages import PrivateRedis


@pytest.fixture
def admin(db: None) -> User:
    from tests.accounts.people import make

    return make("admin", is_staff=True, is_superuser=True)


@pytest.fixture
def server(settings: Settings) -> Iterator[PrivateRedis]:
    """A Redis that nobody else uses; the site does not know of it."""
    import shutil

    from tests.outages import PrivateRedis

    server = PrivateRedis(settings)
    server.start()
    yield server
    server.end()
    shutil.rmtree(server.folder)


@pytest.fixture
def redis(server: PrivateRedis) -> Iterator[Redis]:
    """A client of the server."""
    from redis import Redis

    with Redis(unix_socket_path=str(server.socket)) as client:
        yield client


@pytest.fixture
def late(server: PrivateRedis) -> Iterator[LateClient]:
    """A client of the server whose answers can be held back."""
    from tests.accounts.mirroring import LateClient

    with LateClient(unix_socket_path=str(server.socket)) as client:
        yield client
        client.hand_on.set()
