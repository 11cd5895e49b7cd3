"""What does each call cost the server? Exact numbers, so that no change goes unnoticed."""

import time
from typing import Any

import pytest
from django_redis import get_redis_connection

from accounts.client import FlowClient
from lab.benchmark.costs import measured
from lab.differences import difference
from tests.contract.calls import CALLS, Call
from tests.contract.people import Enter, Person

pytestmark = pytest.mark.inside("counts SQL statements and Redis commands")

# SQL statements and Redis commands of each call, on SQLite and on PostgreSQL. MULTI and EXEC count.
# Of a site without the lab, for whose strategies a denylist is kept that nobody else asks for.
COSTS: dict[str, dict[str, tuple[int, int]]] = {
    "sessions": {
        "login": (5, 31),
        "refresh": (2, 23),
        "whoami": (0, 1),
        "me": (1, 1),
        "rename": (2, 1),
        "devices": (3, 3),
        "end-device": (2, 11),
        "password": (12, 47),
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
        "password": (17, 26),
        "logout": (5, 0),
        "logout-all": (11, 10),
    },
}


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_call_costs(enter: Enter, guest: FlowClient, flow: str, ada: Person, call: Call) -> None:
    client = enter(ada)
    device = client.whoami()["device"]
    client = guest if call.name == "login" else client
    client.fetch_csrf_token()
    redis = get_redis_connection("auth")
    with measured(redis) as cost:
        response = call.send(client, ada, device=device)
    assert response.status_code == call.success
    spent = (len(cost.sql), sum(cost.redis.values()))
    assert spent == COSTS[flow][call.name], f"{cost.redis}\n" + "\n".join(cost.sql)


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
    promised = difference("whoami_sql_statements", flow), difference("whoami_redis_commands", flow)
    # The least: the first request finds no copy yet, and what keeps copies true asks Redis as well.
    assert min(costs) == promised, costs


def wait_for_mirrors(redis: Any) -> None:
    """Have this process's copies be in use, as they are moments after its first request."""
    from jwt_api import denylist
    from sessions_api import store

    for mirror in (store.mirror, denylist.mirror):
        while not mirror.of(redis).is_current:
            time.sleep(0.01)
