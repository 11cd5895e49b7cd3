"""What becomes of a login whose refresh died half-way? The client asks again, and goes on.

A real worker, killed with SIGKILL. R34, R35, R37, R39, R49: never a burned token, never a
false reuse, and never half of a real one.
"""

from collections.abc import Iterator

import pytest
from django.conf import settings as site_settings
from django.db import connection
from pytest_django import Settings

from accounts.client import FlowClient
from accounts.contract.registry import flows
from accounts.models import AuthEvent, User
from lab.differences import difference
from tests.accounts.doomed import DoomedWorkers, Job
from tests.accounts.racing import atomic_requests_in_ci, end_grace
from tests.contract.answers import assert_logged_in, flow_of, secret_of, steal
from tests.contract.people import Person, Visit

pytestmark = [
    pytest.mark.inside("kills its own workers"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("atomic_requests"),
    atomic_requests_in_ci,
]

# Where a refresh can be interrupted: around what the flow does, and inside of it.
AROUND = {
    "not begun": ("before", "accounts.lifecycle.renew"),
    "renewed, not recorded": ("before", "accounts.lifecycle.record"),
    "recorded, not answered": ("after", "accounts.lifecycle.renew"),
}
COMMIT = "django.db.backends.base.base.BaseDatabaseWrapper.commit"
INSIDE = {
    "sessions": {
        "read, nothing sent": ("before", "sessions_api.store._retire"),
        "done, nothing said": ("after", "sessions_api.store.rotate"),
    },
    "jwt": {
        "one row written, not committed": ("after", "django.db.models.query.QuerySet.create"),
        "claimed, not committed": ("before", COMMIT),
        "committed": ("after", COMMIT),
    },
}
POINTS = {flow.key: {**AROUND, **INSIDE[flow.key]} for flow in flows()}
NOTHING_HAPPENED = {
    "not begun",
    "read, nothing sent",
    "one row written, not committed",
    "claimed, not committed",
}

each_point = pytest.mark.parametrize(
    ("key", "point"), [(key, point) for key, points in POINTS.items() for point in points]
)


@pytest.fixture(scope="module")
def parent() -> Iterator[DoomedWorkers]:
    workers = DoomedWorkers()
    yield workers
    workers.close()


@pytest.fixture
def workers(db: None, parent: DoomedWorkers) -> DoomedWorkers:
    parent.database = str(connection.settings_dict["NAME"])
    return parent


def log_in(visit: Visit, key: str, person: Person) -> FlowClient:
    client = visit(key)
    client.login(person.username, person.password)
    return client


def kill(workers: DoomedWorkers, client: FlowClient, when: str, function: str) -> None:
    """Present what the client holds to a worker that dies at that point."""
    cookies = {cookie.name: cookie.value or "" for cookie in client.http.cookies.jar}
    path = f"/api/{client.flow}/refresh/"
    atomic_requests = bool(connection.settings_dict["ATOMIC_REQUESTS"])
    grace = site_settings.GRACE_SECONDS
    workers.die(Job(path, cookies, when, function, grace, atomic_requests))


def reuses() -> int:
    return AuthEvent.objects.filter(kind=AuthEvent.Kind.REUSE).count()


@each_point
def test_refresh_whose_worker_was_killed_can_be_asked_for_again(
    visit: Visit, ada: Person, workers: DoomedWorkers, key: str, point: str
) -> None:
    client = log_in(visit, key, ada)
    before = secret_of(client)
    kill(workers, client, *POINTS[key][point])
    if point in NOTHING_HAPPENED:
        kill(workers, client, *POINTS[key][point])
    client.refresh()
    assert secret_of(client) != before
    other_tab = steal(client, visit(key))
    client.refresh()
    other_tab.refresh()
    assert_logged_in(client)
    assert len(flow_of(key).devices(User.objects.get().pk)) == 1
    assert reuses() == 0


@pytest.mark.thorough
@each_point
def test_what_had_not_happened_needs_no_grace(
    visit: Visit,
    ada: Person,
    workers: DoomedWorkers,
    settings: Settings,
    key: str,
    point: str,
) -> None:
    """Without one, a lost answer is a lost login, as documented; a lost try is not."""
    settings.GRACE_SECONDS = 0
    client = log_in(visit, key, ada)
    kill(workers, client, *POINTS[key][point])
    assert client.send("POST", "refresh/").is_success == (point in NOTHING_HAPPENED)
    if point in NOTHING_HAPPENED or difference("lives_on_after_reuse", key):
        assert reuses() == 0


# Only where a reuse writes anything.
REUSES = {"jwt": {"not committed": ("before", COMMIT), "committed": ("after", COMMIT)}}


@pytest.mark.parametrize(
    ("key", "point"), [(key, point) for key, points in REUSES.items() for point in points]
)
def test_reuse_whose_worker_was_killed_is_one_event_all_the_same(
    visit: Visit, ada: Person, workers: DoomedWorkers, key: str, point: str
) -> None:
    """Threat: a family that ended without its event would be a theft that nobody hears of."""
    client = log_in(visit, key, ada)
    late = steal(client, visit(key))
    client.refresh()
    end_grace()
    kill(workers, late, *REUSES[key][point])
    assert reuses() == (1 if point == "committed" else 0)
    for holder in (late, client, late):
        assert holder.send("POST", "refresh/").status_code == 401
    assert reuses() == 1
