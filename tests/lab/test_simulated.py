"""Is a Redis that is none called so on the lab's pages, and kept from being measured?"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from tests.outages import no_redis, redis_at, simulated_redis

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("lab", "db")]
PAGES = (
    "",
    "lab/",
    "lab/token/",
    "lab/attacks/",
    "lab/audit/",
    "lab/decide/",
    "lab/client/jwt-push/",
)
LABEL = b"Redis is simulated here."


@pytest.fixture
def simulated() -> Iterator[None]:
    with simulated_redis() as url, redis_at(url):
        yield


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.usefixtures("simulated")
def test_every_page_of_the_lab_says_so(client: Client, page: str) -> None:
    assert LABEL in client.get(f"/{page}").content


@pytest.mark.parametrize("page", PAGES)
def test_no_page_says_so_of_a_real_one(client: Client, page: str) -> None:
    answer = client.get(f"/{page}")
    assert answer.status_code == 200
    assert LABEL not in answer.content


def test_of_a_redis_that_is_away_nothing_is_said(client: Client) -> None:
    with no_redis():
        answer = client.get("/lab/")
    assert answer.status_code == 200
    assert LABEL not in answer.content


@pytest.mark.usefixtures("simulated")
def test_the_meter_refuses_to_measure_it(client: Client) -> None:
    body = {"strategy": "session-redis", "how": "logout"}
    answer = client.post("/lab/side/revoke/", body, "application/json")
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid")
    assert "This Redis is simulated" in answer.json()["detail"]
