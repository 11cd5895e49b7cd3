"""How long is somebody kept waiting while a store is away? R61: three seconds, whatever they ask.

At the site's own timeouts; `test_store_outage.py` waits less for each command, and a call that
waited for one after the other would pass there. Of times the suite asserts nothing, but for those
that are promised.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import httpx
import pytest

from accounts.client import FlowClient
from accounts.models import User
from tests.contract.calls import CALLS
from tests.contract.clock import best_of_three
from tests.contract.people import Enter, Person
from tests.contract.transport import InProcess
from tests.outages import (
    DATABASE_OUTAGES,
    PrivatePostgres,
    PrivateRedis,
    needs_redis_server,
    wire,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.thorough,
    pytest.mark.inside("takes a store away"),
    # Else one transaction lies around the whole test, and no lock of the site's is ever freed.
    pytest.mark.django_db(transaction=True),
]

PROMISED_SECONDS = 3
Outage = Callable[[], AbstractContextManager[None]]
Ask = Callable[[FlowClient, Person], httpx.Response]


def profile_page(client: FlowClient, person: Person) -> httpx.Response:
    headers = {"Authorization": f"Bearer {client.token}"} if client.token else {}
    return client.http.get(f"/{client.flow}/profile/", headers=headers)


NAMES = ("login", "me", "rename", "refresh", "logout", "logout-all")
ASKED: dict[str, Ask] = {call.name: call.send for call in CALLS if call.name in NAMES}
ASKED["profile page"] = profile_page
whatever_is_asked = pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)


@pytest.fixture
def transport() -> InProcess:
    """The site, looking after its database connections between requests as in a server."""
    return InProcess()


@contextmanager
def stalled(server: PrivateRedis) -> Iterator[None]:
    """Connections are made, and nothing is answered."""
    with server.waited_for(server.site_seconds):
        server.signal(signal.SIGSTOP)
        yield
        server.signal(signal.SIGCONT)


@contextmanager
def too_slow(server: PrivateRedis) -> Iterator[None]:
    """Each reply comes, but later than the site waits for it."""
    with wire(server, seconds=server.site_seconds) as between:
        between.delay = 1.2 * server.site_seconds
        yield


def assert_in_time(ask: Ask, enter: Enter, person: Person, outage: Outage) -> None:
    """It works all the same, or says when to ask again; and either soon."""

    def seconds() -> float:
        client = enter(person)
        client.fetch_csrf_token()
        with outage():
            began = time.monotonic()
            response = ask(client, person)
            took = time.monotonic() - began
        if not response.is_success:
            assert response.status_code == 503, response.text
            assert int(response.headers["retry-after"]) >= 1
            assert ask(client, person).is_success
        return took

    assert best_of_three(seconds, promised=PROMISED_SECONDS) < PROMISED_SECONDS


@pytest.mark.once
@needs_redis_server
@pytest.mark.parametrize("outage", [stalled, too_slow])
@whatever_is_asked
def test_nobody_waits_for_redis_longer_than_was_promised(
    enter: Enter,
    ada: Person,
    server: PrivateRedis,
    ask: Ask,
    outage: Callable[[PrivateRedis], AbstractContextManager[None]],
) -> None:
    assert_in_time(ask, enter, ada, partial(outage, server))


@pytest.mark.alone  # a quarter of what was promised is all that is left for other things
@pytest.mark.parametrize("outage", DATABASE_OUTAGES)
@whatever_is_asked
def test_nobody_waits_for_the_database_longer_than_was_promised(
    enter: Enter, ada: Person, postgres: PrivatePostgres, ask: Ask, outage: str
) -> None:
    """Somebody forgot a transaction, say, and no lock is ever freed."""
    with DATABASE_OUTAGES[outage](postgres) as away:
        if not User.objects.filter(username=ada.username).exists():  # a server of its own
            User.objects.create_user(ada.username, password=ada.password)
        assert_in_time(ask, enter, ada, away)
