"""When does a changed role count? Permission classes ask the credential, in both flows. (F21)"""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.test import TestCase

from accounts.client import FlowClient
from lab.differences import difference
from tests.contract.answers import assert_refused
from tests.contract.clock import Clock
from tests.contract.people import Enter, Person
from tests.contract.probes import site_with_probes

pytestmark = [
    pytest.mark.inside("mounts views of its own, and changes rows"),
    pytest.mark.strategies,
    pytest.mark.needs("revocation"),
]

NEAR = 60  # seconds by the test's clock; far more than the test itself takes


@pytest.fixture(autouse=True)
def probes(flow: str, settings: Any) -> None:
    """After `flow`, which may have the lab mount its strategies."""
    settings.ROOT_URLCONF = site_with_probes()


def change(person: Person, **values: Any) -> None:
    from accounts.models import User

    user = User.objects.get(username=person.username)
    for name, value in values.items():
        setattr(user, name, value)
    with TestCase.captureOnCommitCallbacks(execute=True):
        user.save()


def probe(client: FlowClient, name: str, method: str = "GET") -> httpx.Response:
    return client.send(method, f"probe/{name}/")


def test_a_role_opens_what_asks_for_it(enter: Enter, ada: Person) -> None:
    change(ada, is_staff=True)
    assert probe(enter(ada), "staff").status_code == 200


def test_nobody_without_the_role_gets_in(enter: Enter, guest: FlowClient, ada: Person) -> None:
    assert_refused(probe(enter(ada), "staff"), 403, "permission_denied")
    assert_refused(probe(guest, "staff"), 401, "not_authenticated")


@pytest.mark.parametrize("role", ["is_staff", "is_superuser"])
def test_permissions_combine_as_drfs_own_do(enter: Enter, ada: Person, role: str) -> None:
    assert_refused(probe(enter(ada), "staff-or-admin"), 403, "permission_denied")
    change(ada, **{role: True})
    assert probe(enter(ada), "staff-or-admin").status_code == 200


@pytest.mark.parametrize("name", ["scoped", "forgotten"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_ones_own_login_needs_no_scope(enter: Enter, ada: Person, name: str, method: str) -> None:
    assert probe(enter(ada), name, method).status_code == 200


@pytest.mark.parametrize("given", [True, False], ids=["given", "taken away"])
def test_a_changed_role_counts_after_the_delay_that_is_stated(
    enter: Enter,
    flow: str,
    ada: Person,
    clock: Clock,
    given: bool,
    record_property: Callable[[str, object], None],
) -> None:
    """R52: a token that was made before the change is the whole of the delay."""
    change(ada, is_staff=not given)
    client = enter(ada)
    before, after = (200, 403) if not given else (403, 200)
    assert probe(client, "staff").status_code == before
    change(ada, is_staff=given)
    delay = int(str(difference("role_change_delay", flow)))
    record_property(f"seconds until a changed role counts, {flow}", delay)
    if delay:
        clock.advance(delay - NEAR)
        assert probe(client, "staff").status_code == before
        clock.advance(NEAR)
        assert_refused(probe(client, "staff"), 401, "credential_expired")
        client.refresh()
    assert probe(client, "staff").status_code == after
