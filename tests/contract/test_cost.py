"""What does each call cost the server? Exact numbers, so that no change goes unnoticed."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django_redis import get_redis_connection

from accounts.client import FlowClient
from accounts.models import User
from lab.benchmark.costs import measured
from lab.differences import difference
from lab.receipts import commands
from lab.receipts.recording import Recording, current
from tests.contract.calls import CALLS, Call
from tests.contract.people import Enter, Person

pytestmark = pytest.mark.inside("counts SQL statements and Redis commands")

# SQL statements and Redis commands of each call, on SQLite and on PostgreSQL. MULTI and EXEC count;
# a script is one command, as it is for whoever waits for its answer.
# Of a site without the lab, for whose strategies a denylist is kept that nobody else asks for.
COSTS: dict[str, dict[str, tuple[int, int]]] = {
    "sessions": {
        "login": (5, 22),
        "refresh": (2, 2),
        "whoami": (0, 1),
        "me": (1, 1),
        "rename": (2, 1),
        "devices": (3, 3),
        "end-device": (2, 11),
        "password": (13, 38),
        "logout": (1, 12),
        "logout-all": (8, 17),
    },
    "jwt": {
        "login": (6, 16),
        "refresh": (5, 0),
        "whoami": (0, 0),
        "me": (1, 0),
        "rename": (2, 0),
        "devices": (3, 1),
        "end-device": (6, 4),
        "password": (18, 26),
        "logout": (5, 0),
        "logout-all": (11, 10),
    },
}
# The same in the lab, which keeps a denylist whatever the strategy, and one more store of sessions.
# What the copies of a mirror cost in the background is not among it.
COSTS_IN_THE_LAB: dict[str, dict[str, tuple[int, int]]] = {
    "session-push": {
        "login": (5, 22),
        "refresh": (2, 2),
        "whoami": (0, 0),
        "me": (1, 0),
        "rename": (2, 0),
        "devices": (4, 2),
        "end-device": (2, 10),
        "password": (15, 43),
        "logout": (1, 12),
        "logout-all": (10, 22),
    },
    "jwt-lookup": {
        "login": (6, 16),
        "refresh": (5, 0),
        "whoami": (0, 1),
        "me": (1, 1),
        "rename": (2, 1),
        "devices": (4, 2),
        "end-device": (6, 6),
        "password": (20, 34),
        "logout": (5, 1),
        "logout-all": (13, 18),
    },
    "jwt-push": {
        "login": (6, 16),
        "refresh": (5, 0),
        "whoami": (0, 0),
        "me": (1, 0),
        "rename": (2, 0),
        "devices": (4, 1),
        "end-device": (6, 5),
        "password": (20, 33),
        "logout": (5, 1),
        "logout-all": (13, 17),
    },
}


@pytest.mark.strategies(*COSTS_IN_THE_LAB)
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_call_costs(enter: Enter, guest: FlowClient, flow: str, ada: Person, call: Call) -> None:
    client = enter(ada)
    device = client.whoami()["device"]
    client.fetch_csrf_token()
    redis = get_redis_connection("auth")
    if flow in COSTS_IN_THE_LAB:
        have_copies(client, redis)
    if call.name == "login":
        client = guest
        client.fetch_csrf_token()
    with measured(redis) as cost, recorded() as recording:
        response = call.send(client, ada, device=device)
    assert response.status_code == call.success
    sent = [step.text for step in recording.of("redis")]
    # Surprise: what keeps copies true asks Redis as well, at moments of its own, and the server
    # counts that.
    spent = (len(cost.sql), len(sent) if flow in COSTS_IN_THE_LAB else sum(cost.redis.values()))
    costs = {**COSTS, **COSTS_IN_THE_LAB}[flow]
    assert spent == costs[call.name], "\n".join([str(cost.redis), *sent, *cost.sql])


@contextmanager
def recorded() -> Iterator[Recording]:
    """What this thread sends to Redis, as the receipts of the lab have it."""
    commands.listen()
    recording = Recording()
    before = current.set(recording)
    yield recording
    current.reset(before)


def have_copies(client: FlowClient, redis: Any) -> None:
    """Have this process know of the login what its strategy lets it know."""
    wait_for_mirrors(redis)
    asked = None
    while asked != promised_redis(client.flow):
        with recorded() as recording:
            client.whoami()
        asked = len(recording.of("redis"))


def promised_redis(flow: str) -> int:
    return int(difference("whoami_redis_commands", flow))


@pytest.mark.strategies
@pytest.mark.quick
def test_whoami_costs(enter: Enter, flow: str, ada: Person) -> None:
    """The fixed promise: the credential alone answers, at the price of its strategy."""
    client, redis = enter(ada), get_redis_connection("auth")
    wait_for_mirrors(redis)
    costs = []
    for _ in range(10):
        with measured(redis) as cost:
            client.whoami()
        costs.append((len(cost.sql), sum(cost.redis.values())))
    promised = difference("whoami_sql_statements", flow), promised_redis(flow)
    # The least: the first request finds no copy yet, and what keeps copies true asks Redis as well.
    assert min(costs) == promised, costs


# Of a request and its answer, with headers, as HTTP/1.1 writes them.
BYTES = {
    "sessions": (376, 685),
    "jwt": (1222, 685),
    "session-database": (399, 677),
    "session-redis": (392, 677),
    "session-push": (391, 677),
    "jwt-naive": (797, 677),
    "jwt-expiry": (1240, 677),
    "jwt-lookup": (1240, 677),
    "jwt-push": (1238, 677),
    "jwt-cookie": (1232, 677),
}


@pytest.mark.strategies
@pytest.mark.usefixtures("lab")
@pytest.mark.once
def test_a_whoami_exchange_has_so_many_bytes(guest: FlowClient, flow: str) -> None:
    """By a browser that sends no more than it must, for a user whose number has one digit."""
    ada = User.objects.create_user("ada", password="ada-demo-password", pk=7, epoch=60_000_000)
    guest.http.headers.update(
        {"User-Agent": "Firefox on Linux", "Accept-Encoding": "gzip", "Accept": "application/json"}
    )
    guest.login(ada.username, "ada-demo-password")
    answer = guest.send("GET", "whoami/", headers={"X-Lab-Receipt": "1"})
    told = json.loads(answer.headers["X-Lab-Receipt"])["bytes"]
    assert (told["in"], told["out"]) == BYTES[flow]


def wait_for_mirrors(redis: Any) -> None:
    """Have this process's copies be in use, as they are moments after its first request."""
    from jwt_api import denylist
    from sessions_api import store

    for mirror in (store.mirror, denylist.mirror):
        while not mirror.of(redis).is_current:
            time.sleep(0.01)
