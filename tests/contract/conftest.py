"""Against what does the contract suite run? The application in this process, or any deployment.

    pytest tests/contract
    pytest tests/contract --base-url https://… --contract-user NAME:PASSWORD \\
        --contract-other-user NAME:PASSWORD

Against a deployment, tests that must look inside (database rows, settings, the
clock) are skipped, each with the name of what cannot be seen from outside. A run
fails some ten logins of each user on purpose: wait for the end of the login limits'
window (5 minutes by default) before the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import time_machine

from accounts.client import FlowClient, Refused
from tests.contract.clock import Clock
from tests.contract.people import NEW_PASSWORD, Enter, Person, Visit
from tests.contract.transport import InProcess, keep_connections

if TYPE_CHECKING:
    from tests.outages import PrivatePostgres

HERE = Path(__file__).parent
# They are the two flows as they come, and what reads the list that jwt-push knows by heart.
AS_OTHERS = ("session-redis", "jwt-expiry", "jwt-lookup")
IN_DATABASE = "session-database"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("contract", "the contract suite, against a deployment (--base-url)")
    group.addoption("--contract-user", metavar="NAME:PASSWORD", help="a user of the deployment")
    group.addoption("--contract-other-user", metavar="NAME:PASSWORD", help="and another one")


def pytest_configure(config: pytest.Config) -> None:
    for marker in (
        "inside(what): looks at something that cannot be seen from outside",
        "strategies(key, ...): runs for the strategies of the lab as well, or for those named "
        "(in CI, unless it is `quick`)",
        "quick: runs for the strategies in `make test`, too",
        "needs(what, ...): does not run for strategies that lack one of these (lab.differences)",
    ):
        config.addinivalue_line("markers", marker)
    given = [
        bool(config.getoption(name, None))
        for name in ("base_url", "contract_user", "contract_other_user")
    ]
    # Threat: with one of them alone the suite would look at this checkout, and be taken for green.
    if any(given) and not all(given):
        raise pytest.UsageError("--base-url, --contract-user and --contract-other-user: all three")


def is_live(config: pytest.Config) -> bool:
    return bool(config.getoption("base_url")) and bool(config.getoption("contract_user", None))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if HERE not in item.path.parents:
            continue
        marker = item.get_closest_marker("inside")
        if marker and is_live(config):
            item.add_marker(pytest.mark.skip(reason=f"not seen from outside: {marker.args[0]}"))
        # Surprise: pytest-django makes test databases only for tests that say so when collected.
        if not is_live(config) and not item.get_closest_marker("django_db"):
            item.add_marker(pytest.mark.django_db)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run for every registered flow; a third one is covered as soon as it registers itself.

    And, where a test is marked so, for every strategy of the lab that has what the test needs,
    beside each flow that it is no variant of (their cookies would be the same).
    """
    from accounts.contract.registry import flows

    keys = [flow.key for flow in flows()]
    rows = strategies_for(metafunc)
    names, found = ["flow"], [[key] for key in (*keys, *(row.key for row in rows))]
    if "other_flow" in metafunc.fixturenames:
        beside = [[row.key, key] for row in rows for key in keys if key != row.variant_of]
        names, found = ["flow", "other_flow"], [*map(list, permutations(keys, 2)), *beside]
    if "flow" in metafunc.fixturenames:
        quick = metafunc.definition.get_closest_marker("quick")
        params = [
            pytest.param(*each, marks=() if quick or each[0] in keys else marks_of(each[0]))
            for each in found
        ]
        metafunc.parametrize(names, params, indirect=True)


def marks_of(strategy: str) -> list[pytest.MarkDecorator]:
    """In which runs a strategy is tried, where a test is not `quick`."""
    marks = [pytest.mark.thorough]
    marks += [pytest.mark.full] if strategy in AS_OTHERS else []
    # The others are variants of the two flows, and have in the database what those have.
    return marks + ([] if strategy == IN_DATABASE else [pytest.mark.once])


def strategies_for(metafunc: pytest.Metafunc) -> list[Any]:
    """The strategies that a test is run for. No deployment has its lab on."""
    from lab.differences import difference
    from lab.strategies import STRATEGIES

    test = metafunc.definition
    marker = test.get_closest_marker("strategies")
    if is_live(metafunc.config) or not marker:
        return []
    needed = {name for marker in test.iter_markers("needs") for name in marker.args}
    rows = [row for row in STRATEGIES if row.key in marker.args or not marker.args]
    return [row for row in rows if needed.isdisjoint(difference("lacks", row.key))]


@pytest.fixture
def flow(request: pytest.FixtureRequest) -> str:
    """The flow under test, or the strategy: then the lab is open."""
    if request.param in strategy_keys():
        request.getfixturevalue("lab")
    return request.param


def strategy_keys() -> set[str]:
    from lab.strategies import STRATEGIES

    return {row.key for row in STRATEGIES}


@pytest.fixture
def other_flow(request: pytest.FixtureRequest) -> str:
    """Any other one."""
    return request.param


@pytest.fixture
def site(request: pytest.FixtureRequest) -> str:
    """The URL of what is tested; in this process the database is made ready as well."""
    if is_live(request.config):
        return request.config.getoption("base_url")
    request.getfixturevalue("db")
    return "http://127.0.0.1"


@pytest.fixture
def transport(request: pytest.FixtureRequest) -> Iterator[httpx.BaseTransport | None]:
    if is_live(request.config):
        yield None
        return
    with keep_connections():
        yield InProcess()


@pytest.fixture
def changes() -> list[str]:
    """The password changes that succeeded. (To try passwords instead would use up the limits.)"""
    return []


@pytest.fixture
def visit(
    site: str,
    transport: httpx.BaseTransport | None,
    changes: list[str],
) -> Iterator[Visit]:
    """Open a new browser on a flow: no cookies, nobody logged in."""
    clients = []

    def note_change(response: httpx.Response) -> None:
        if response.is_success and response.request.url.path.endswith("/password/"):
            changes.append(str(response.request.url))

    in_the_lab = dict.fromkeys(strategy_keys(), "/lab/strategies/")

    def visit(flow: str) -> FlowClient:
        under = in_the_lab.get(flow, "/api/")
        client = FlowClient(site, flow, under=under, transport=transport)
        client.http.event_hooks["response"].append(note_change)
        clients.append(client)
        return client

    yield visit
    for client in clients:
        if transport is None:
            leave_no_device(client)
        client.http.close()


def leave_no_device(client: FlowClient) -> None:
    """Leave no device of the test in a deployment: its browser may have cookies of every flow."""
    from accounts.contract.registry import flows

    for flow in flows():
        client.flow = flow.key
        with suppress(Refused, httpx.HTTPError):
            client.logout()


@pytest.fixture
def guest(visit: Visit, flow: str) -> FlowClient:
    """A browser in which nobody is logged in."""
    return visit(flow)


@pytest.fixture
def enter(visit: Visit, flow: str) -> Enter:
    """Log somebody in, in a browser of their own; by default in the flow under test."""

    def enter(person: Person, in_flow: str = flow) -> FlowClient:
        client = visit(in_flow)
        client.login(person.username, person.password)
        return client

    return enter


@pytest.fixture
def ada(request: pytest.FixtureRequest, site: str) -> Person:
    """Who uses the site. Of a deployment: `--contract-user`."""
    return _person(request, "ada", "contract_user")


@pytest.fixture
def grace(request: pytest.FixtureRequest, site: str) -> Person:
    """Who uses the site as well, and must not notice. Of a deployment: `--contract-other-user`."""
    return _person(request, "grace", "contract_other_user")


@pytest.fixture
def mallory(request: pytest.FixtureRequest, site: str) -> Person:
    """Who attacks. Of a deployment, the same user as `grace`: no test uses both."""
    return _person(request, "mallory", "contract_other_user")


def _person(request: pytest.FixtureRequest, name: str, option: str) -> Person:
    if is_live(request.config):
        username, _, password = request.config.getoption(option).partition(":")
        return Person(username, password)
    from accounts.models import User

    person = Person(name, f"{name}-demo-password")
    User.objects.create_user(
        person.username,
        f"{name}@example.org",
        person.password,
        display_name=name.capitalize(),
    )
    return person


@pytest.fixture
def new_password(ada: Person, visit: Visit, flow: str, changes: list[str]) -> Iterator[str]:
    """A password to change ada's into; a deployment gets the old one back afterwards."""
    yield NEW_PASSWORD
    if changes:
        client = visit(flow)
        client.login(ada.username, NEW_PASSWORD)
        client.change_password(NEW_PASSWORD, ada.password)


@pytest.fixture
def clock(site: str) -> Iterator[Clock]:
    """The time of the process and of Redis; it goes on ticking."""
    from django_redis import get_redis_connection

    with time_machine.travel(datetime.now(UTC), tick=True) as traveller:
        yield Clock(traveller, get_redis_connection("auth"))


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivatePostgres]:
    """A PostgreSQL that may be stopped; it starts when a test uses it."""
    from tests.outages import PrivatePostgres

    server = PrivatePostgres()
    yield server
    server.end()
