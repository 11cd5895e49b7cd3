"""What becomes of logins when Redis makes room for something else? Some are lost, none comes back.

The site's own Redis refuses writes instead (`noeviction`), and `manage.py doctor` says where
another one does not. Key by key it is told in `tests/sessions_api/test_eviction.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from accounts.client import FlowClient
from accounts.models import User
from lab.differences import difference
from tests.contract.answers import steal
from tests.contract.people import Person, Visit
from tests.outages import PrivateRedis, evict, evicting, needs_redis_server

pytestmark = [
    pytest.mark.inside("has its Redis evict"),
    pytest.mark.django_db,
    pytest.mark.once,
    needs_redis_server,
]

ENDINGS: dict[str, Callable[[FlowClient], None]] = {
    "logout": FlowClient.logout,
    "logout-all": FlowClient.logout_all,
}
ASKED = (("GET", "whoami/"), ("GET", "me/"), ("PATCH", "me/"), ("POST", "refresh/"))


def ask(client: FlowClient, method: str, path: str) -> int:
    body = {"display_name": "late"} if method == "PATCH" else None
    return client.send(method, path, body).status_code


def let_in_after(ending: str, flow: str) -> set[str]:
    """The calls that may answer a login that was ended: those that look nothing up."""
    if difference("whoami_after_logout", flow) == 401:
        return set()
    return {"whoami/", "me/"} if ending == "logout" else {"whoami/"}


@pytest.mark.parametrize(
    "ending", ["logout", pytest.param("logout-all", marks=pytest.mark.thorough)]
)
def test_redis_that_evicts_forgets_and_does_not_mix_up(
    visit: Visit, flow: str, server: PrivateRedis, ending: str
) -> None:
    """Everybody is who they were, or has to log in, or to wait; who was logged out stays out."""
    inside: dict[int, FlowClient] = {}
    outside: list[FlowClient] = []
    with evicting(server):
        for number in range(8):
            person = Person(f"user-{number}", "demo-password")
            user = User.objects.create_user(person.username, password=person.password)
            client = inside[user.pk] = visit(flow)
            client.login(person.username, person.password)
            client.fetch_csrf_token()
            if number % 2 == 0:
                outside.append(steal(client, visit(flow)))
                ENDINGS[ending](inside.pop(user.pk))
        for _ in range(2):
            assert evict(server) > 0
            for pk, client in inside.items():
                assert {ask(client, *asked) for asked in ASKED} <= {200, 401, 503}
                answer = client.send("GET", "whoami/")
                assert answer.status_code != 200 or answer.json()["id"] == pk
            for held in outside:
                for method, path in ASKED:
                    status = ask(held, method, path)
                    assert status in (401, 503) or path in let_in_after(ending, flow), path
        client = visit(flow)
        client.login("user-0", "demo-password")
        assert client.me()["username"] == "user-0"
        client.logout()
        assert ask(client, "POST", "refresh/") == 401
