"""What holds when many ask at the same moment? The same races, for every flow.

R33 to R38, R47 to R50, R59, R68, R70; A24 to A29, A35 to A37, A40.

RACE_TRIALS=100 pytest tests/contract/test_races.py              # the full count, on SQLite
RACE_TRIALS=100 pytest --postgres tests/contract/test_races.py   # and on PostgreSQL
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import httpx
import pytest
from django.conf import settings
from django.contrib.auth import hashers
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path, reverse
from psycopg import IsolationLevel
from pytest_django import Settings
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import lifecycle
from accounts.client import FlowClient
from accounts.contract.flow import Flow
from accounts.contract.registry import flows
from accounts.contract.views import ContractView
from accounts.models import AuthEvent, User
from lab.differences import difference
from tests.accounts.racing import (
    FULL,
    at_once,
    atomic_requests_in_ci,
    elsewhere,
    end_grace,
    trials,
)
from tests.contract.answers import (
    assert_logged_in,
    assert_refused,
    flow_of,
    secret_of,
    set_cookies,
    steal,
)
from tests.contract.people import NEW_PASSWORD, Enter, Person, Visit
from tests.contract.transport import InProcessAtOnce, keep_connections
from tests.rows import mostly_in_ci

pytestmark = [
    pytest.mark.inside("makes its own requests at once, and changes settings"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(3600),
]

ENGINE = settings.DATABASES["default"]["ENGINE"].rpartition(".")[2]
PATIENCE: dict[str, dict[str, Any]] = {
    "sqlite3": {"timeout": 60},
    "postgresql": {"options": "-c lock_timeout=60s", "connect_timeout": 60},
}
EACH = 20 if FULL else 3
"""How many logins and how many refreshes race an ending."""

# What a request reads of a process's own memory is judged by the same races.
pushed = pytest.mark.strategies("session-push", "jwt-push")

Send: TypeAlias = Callable[[], httpx.Response]


@pytest.fixture
def transport() -> Any:
    with keep_connections():
        yield InProcessAtOnce()


@pytest.fixture(autouse=True)
def _many_logins(settings: Settings) -> None:
    """Login limits are not what is tested here, and twenty logins at once would reach them."""
    settings.LOGIN_LIMIT_ACCOUNT = settings.LOGIN_LIMIT_NETWORK = 100_000


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Forty threads on two cores queue for a lock longer than a request of the site would.

    What a request answers that has waited long enough is tested below, by `IMPATIENT`.
    """
    settings.DATABASE_TIMEOUT_SECONDS = 60
    for option, value in PATIENCE[ENGINE].items():
        monkeypatch.setitem(connection.settings_dict["OPTIONS"], option, value)


def tabs(client: FlowClient, visit: Visit, count: int) -> list[FlowClient]:
    """Browsers that hold the same credential; each has its CSRF token at hand."""
    client.fetch_csrf_token()
    copies = [steal(client, visit(client.flow)) for _ in range(count)]
    for tab in copies:
        tab.csrf_token = client.csrf_token
    return copies


def refresh(client: FlowClient) -> httpx.Response:
    return client.send("POST", "refresh/")


def reuses() -> int:
    return AuthEvent.objects.filter(kind=AuthEvent.Kind.REUSE).count()


def devices(flow: str) -> list[str]:
    """What the flow would list for ada, seen over a connection of its own."""
    user = User.objects.get(username="ada")
    return elsewhere(lambda: [device.id for device in flow_of(flow).devices(user.pk)])


def assert_no_new_credential(answer: httpx.Response, flow: str) -> None:
    """A refusal hands out nothing and takes nothing away: the winner's cookie is in that jar."""
    assert answer.status_code == 401, answer.text
    assert answer.json().keys() == {"detail", "code"}
    assert str(difference("cookie_name", flow)) not in set_cookies(answer)


# --- what these races stand on ----------------------------------------------------------------


class InsideContract(ContractView):
    """A call of the contract that says whether it runs inside of a transaction."""

    permission_classes = [AllowAny]

    def get_authenticators(self) -> list[Any]:
        return []

    def get(self, request: Request) -> Response:
        return Response(str(transaction.get_connection().in_atomic_block))


def inside_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(transaction.get_connection().in_atomic_block))


WHERE = (
    path("page/", inside_page),
    path("contract/", InsideContract.as_view(flow=flows()[0])),
)


def test_atomic_requests_reach_the_connection_of_every_thread(
    atomic_requests: bool, settings: Settings
) -> None:
    """Else every race below would have run twice with the same setting."""
    settings.ROOT_URLCONF = WHERE
    pages = at_once([partial(Client().get, "/page/") for _ in range(4)])
    assert {page.content.decode() for page in pages} == {str(atomic_requests)}
    calls = at_once([partial(Client().get, "/contract/") for _ in range(4)])
    assert {call.json() for call in calls} == {"False"}, "each use case draws its own transaction"


def test_database_of_this_run_can_race() -> None:
    """Not in memory: threads would share one connection, and no race could be seen."""
    assert "memory" not in str(connection.settings_dict["NAME"])
    connection.ensure_connection()
    assert elsewhere(lambda: connection.connection) is None, "a thread begins with one of its own"


# --- many refreshes of one secret -------------------------------------------------------------


def live_branches(holders: list[FlowClient], settings: Settings) -> int:
    """How many secrets that came out of a race can each be exchanged: A27."""
    grace, settings.GRACE_SECONDS = settings.GRACE_SECONDS, 0
    exchanged = [refresh(holder).status_code for holder in holders]
    settings.GRACE_SECONDS = grace
    assert set(exchanged) <= {200, 401}
    return exchanged.count(200)


@pushed
@pytest.mark.parametrize("count", [2, 4, 8, 32])
def test_parallel_refreshes_leave_one_live_successor(
    enter: Enter,
    visit: Visit,
    ada: Person,
    atomic_requests: bool,
    settings: Settings,
    count: int,
) -> None:
    """R34, A26: the losers are the winner's own other tabs, and get the same successor."""
    bad = []
    for _ in range(trials(1)):
        client = enter(ada)
        held = tabs(client, visit, count)
        answers = at_once([partial(refresh, tab) for tab in held])
        changed = secret_of(client) not in {secret_of(tab) for tab in held}
        listed = len(devices(client.flow))
        outcome = ({answer.status_code for answer in answers}, changed, listed)
        branches = live_branches(held, settings)
        if (*outcome, branches) != ({200}, True, 1, 1):
            bad.append((*outcome, branches))
        User.objects.get().raise_epoch()
    assert bad == []


@pytest.mark.parametrize("count", mostly_in_ci([2, 4, 8, 32], 4))
def test_without_grace_one_of_parallel_refreshes_wins(
    enter: Enter,
    visit: Visit,
    flow: str,
    ada: Person,
    atomic_requests: bool,
    settings: Settings,
    count: int,
) -> None:
    """R34, R49: nobody can tell a second tab from a thief, and all but one are refused."""
    settings.GRACE_SECONDS = 0
    lives_on = difference("lives_on_after_reuse", flow)
    bad = []
    for trial in range(1, trials(1) + 1):
        held = tabs(enter(ada), visit, count)
        answers = at_once([partial(refresh, tab) for tab in held])
        for answer in answers:
            if answer.status_code != 200:
                assert_no_new_credential(answer, flow)
        winners = [t for t, answer in zip(held, answers, strict=True) if answer.is_success]
        outcome = (len(winners), reuses(), live_branches(winners, settings))
        if outcome != ((1, 0, 1) if lives_on else (1, trial, 0)):
            bad.append(outcome)
    assert bad == []


# --- two tabs, and answers that come late or never --------------------------------------------


def put_into(jar: FlowClient, late: FlowClient) -> None:
    """An answer arrives, and its cookies overwrite what the jar held."""
    steal(late, jar)


def test_two_tabs_whose_answers_arrive_in_reverse_order_go_on(
    enter: Enter, visit: Visit, ada: Person, atomic_requests: bool
) -> None:
    """R49: both hold the same successor, so it does not matter whose answer was the last."""
    client = enter(ada)
    first, second = tabs(client, visit, 2)
    assert [refresh(first).status_code, refresh(second).status_code] == [200, 200]
    put_into(client, second)
    put_into(client, first)
    for tab in (client, first, second, client):
        assert refresh(tab).status_code == 200
        assert_logged_in(tab)
    assert reuses() == 0


def test_an_answer_that_arrives_after_the_next_refresh_is_no_theft_inside_the_grace(
    enter: Enter, visit: Visit, ada: Person, atomic_requests: bool
) -> None:
    """The jar goes back by one secret: it holds the predecessor of what the server holds."""
    client = enter(ada)
    slow, quick = tabs(client, visit, 2)
    refresh(slow)
    put_into(quick, slow)
    refresh(quick)
    put_into(client, quick)
    put_into(client, slow)
    assert refresh(client).status_code == 200
    assert_logged_in(client)
    assert reuses() == 0


def test_a_lost_answer_can_be_asked_for_again(
    enter: Enter, visit: Visit, ada: Person, atomic_requests: bool
) -> None:
    """R49: inside the grace, and as often as the network loses it."""
    client = enter(ada)
    lost = tabs(client, visit, 3)
    for tab in lost:
        assert refresh(tab).status_code == 200
    assert refresh(client).status_code == 200
    assert refresh(client).status_code == 200, "and the login goes on"
    assert len(devices(client.flow)) == 1
    assert reuses() == 0


@pytest.mark.parametrize("wait", mostly_in_ci(["a real second", "moved back"], "moved back"))
def test_a_lost_answer_asked_for_after_the_grace_is_refused(
    enter: Enter,
    visit: Visit,
    flow: str,
    ada: Person,
    atomic_requests: bool,
    settings: Settings,
    wait: str,
) -> None:
    """R35, R39: where that ends the login, it does so once, and with one event."""
    settings.GRACE_SECONDS = 1 if wait == "a real second" else settings.GRACE_SECONDS
    client = enter(ada)
    winner, again = tabs(client, visit, 2)
    refresh(winner)
    if wait == "a real second":
        time.sleep(1.1)
    else:
        end_grace()
    assert_refused(refresh(client), 401, str(difference("code_of_a_rotated_secret", flow)))
    for late in (client, again):
        assert_refused(refresh(late), 401, "credential_revoked")
    lives_on = difference("lives_on_after_reuse", flow)
    assert refresh(winner).is_success == lives_on
    assert len(devices(flow)) == (1 if lives_on else 0)
    assert reuses() == (0 if lives_on else 1)


# --- theft ------------------------------------------------------------------------------------

GRACE_ENDS = "the grace ends"
# Who refreshes, in turn. All hold a copy of one secret at first; the last one is too late.
SCENES = {
    "thief first, victim second": ("thief", GRACE_ENDS, "victim"),
    "victim first, thief second": ("victim", GRACE_ENDS, "thief"),
    "grandparent inside the grace": ("victim", "victim", "thief"),
    "great-grandparent inside the grace": ("victim", "victim", "victim", "thief"),
    "third use after the grace": ("victim", "thief", GRACE_ENDS, "second thief"),
    "tip of the thief inside the grace": ("thief", "thief", "victim"),
}


@pushed
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_a_secret_used_twice(
    enter: Enter,
    visit: Visit,
    flow: str,
    other_flow: str,
    ada: Person,
    grace: Person,
    atomic_requests: bool,
    scene: tuple[str, ...],
) -> None:
    """A24, A25, A28; R35, R37, R38, R47, R50: looked at over another connection each time."""
    bystanders = [enter(ada), enter(ada, other_flow), enter(grace)]
    client = enter(ada)
    actors = dict(
        zip(("victim", "thief", "second thief"), tabs(client, visit, 3), strict=True),
    )
    *before, last = scene
    for actor in before:
        if actor == GRACE_ENDS:
            end_grace()
        else:
            assert refresh(actors[actor]).status_code == 200
    refused = refresh(actors[last])
    assert_no_new_credential(refused, flow)
    assert refused.json()["code"] == difference("code_of_a_rotated_secret", flow)
    lives_on = difference("lives_on_after_reuse", flow)
    assert elsewhere(reuses) == (0 if lives_on else 1), "committed, although the answer is 401"
    assert len(devices(flow)) == (2 if lives_on else 1)
    for actor in {*before} - {GRACE_ENDS}:
        assert refresh(actors[actor]).is_success == lives_on
    for bystander in bystanders:
        assert refresh(bystander).status_code == 200
        assert_logged_in(bystander)
    assert elsewhere(reuses) == (0 if lives_on else 1), "one event, however often it is tried"


@pushed
def test_a_login_ends_what_a_copy_of_its_old_secret_was_refreshed_to(
    enter: Enter, visit: Visit, flow: str, ada: Person, atomic_requests: bool
) -> None:
    """Threat: whoever copied it and was first is in. The victim is out, and logs in again: the
    browser still has the secret that the thief's was made from.
    """
    victim = enter(ada)
    (thief,) = tabs(victim, visit, 1)
    for _ in range(20):
        assert refresh(thief).status_code == 200
    end_grace()
    victim.login(ada.username, ada.password)
    assert_no_new_credential(refresh(thief), flow)
    assert_alive(victim)
    assert len(devices(flow)) == 1


# --- what was ended stays ended, also inside the grace ----------------------------------------

Act: TypeAlias = Callable[["Stage"], object]


@dataclass
class Stage:
    """Who stands ready while a login is ended."""

    client: FlowClient
    """Whose login ends."""

    old: FlowClient
    """Holds its secret of one refresh ago."""

    phone: FlowClient
    """Another login of the same user."""

    ada: Person
    root: Client
    """A superuser, in the admin."""


def user() -> User:
    return User.objects.get(username="ada")


def set_inactive() -> None:
    changed = user()
    changed.is_active = False
    changed.save()


def set_password() -> None:
    changed = user()
    changed.set_password(NEW_PASSWORD)
    changed.save()


def call(client: FlowClient, method: str, where: str, body: Any = None) -> httpx.Response:
    answer = client.send(method, where, body)
    assert answer.is_success, answer.text
    return answer


def change_password(stage: Stage) -> httpx.Response:
    passwords = {"current_password": stage.ada.password, "new_password": NEW_PASSWORD}
    answer = call(stage.client, "POST", "password/", passwords)
    stage.client.csrf_token = None  # it may give the browser a new CSRF secret, as a login does
    return answer


def deactivate_in_admin(stage: Stage) -> None:
    where = reverse("admin:accounts_user_change", args=[user().pk])
    # A browser does not send a box that is not ticked.
    answer = stage.root.post(where, {"username": "ada", "display_name": "Ada"})
    assert answer.status_code == 302, answer.content


def set_password_in_admin(stage: Stage) -> None:
    where = reverse("admin:auth_user_password_change", args=[user().pk])
    passwords = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    assert stage.root.post(where, passwords).status_code == 302


ENDS_THE_DEVICE: dict[str, Act] = {
    "logout": lambda stage: call(stage.client, "POST", "logout/"),
    "logout with the predecessor": lambda stage: call(stage.old, "POST", "logout/"),
    "ended from another device": lambda stage: call(
        stage.phone, "DELETE", f"devices/{stage.client.whoami()['device']}/"
    ),
}
ENDS_THE_STATE: dict[str, Act] = {
    "logout-all": lambda stage: call(stage.client, "POST", "logout-all/"),
    "logout-all elsewhere": lambda stage: call(stage.phone, "POST", "logout-all/"),
    "password change": change_password,
    "password set": lambda stage: set_password(),
    "password set in the admin": set_password_in_admin,
    "deactivated by save": lambda stage: set_inactive(),
    "deactivated by update": lambda stage: User.objects.filter(username="ada").update(
        is_active=False
    ),
    "deactivated in the admin": deactivate_in_admin,
}
ENDINGS = ENDS_THE_DEVICE | ENDS_THE_STATE
OTHER_WAYS = {
    "logout with the predecessor",
    "ended from another device",
    "logout-all elsewhere",
    "password set",
    "password set in the admin",
}
"""Ways to the same end as another one's; raced less often."""
EVERY_ENDING = mostly_in_ci(list(ENDINGS), *(ENDINGS.keys() - OTHER_WAYS))


@pytest.fixture
def set_stage(enter: Enter, visit: Visit, ada: Person) -> Callable[[], Stage]:
    root = Client(raise_request_exception=False)
    root.force_login(User.objects.create_superuser("root"))

    def set_stage() -> Stage:
        client = enter(ada)
        (old,) = tabs(client, visit, 1)
        return Stage(client, old, enter(ada), ada, root)

    return set_stage


@pushed
@pytest.mark.parametrize("ending", EVERY_ENDING)
def test_the_grace_is_not_for_what_was_ended(
    set_stage: Callable[[], Stage], visit: Visit, flow: str, atomic_requests: bool, ending: str
) -> None:
    """R48, R70; A29, A31, A34, A35: neither for the predecessor nor for the current secret."""
    stage = set_stage()
    refresh(stage.client)
    held = [
        each for holder in (stage.old, stage.client, stage.old) for each in tabs(holder, visit, 1)
    ]
    ENDINGS[ending](stage)
    for revived in (False, True):
        if revived:
            User.objects.filter(username="ada").update(is_active=True)
        for copy_of_it in held:
            answer = refresh(copy_of_it)
            assert_no_new_credential(answer, flow)
            assert answer.json()["code"] == "credential_revoked"
    assert reuses() == 0, "it was over already"


# --- an ending, and everything else at the same moment ----------------------------------------


class States:
    """In which state of the user's row did each login prove its password?"""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read: dict[int, int] = {}
        log_in = lifecycle.log_in

        def noting_log_in(request: HttpRequest, flow: Flow, user: User) -> Any:
            self.read[threading.get_ident()] = user.epoch
            return log_in(request, flow, user)

        monkeypatch.setattr(lifecycle, "log_in", noting_log_in)

    def login(self, client: FlowClient, person: Person) -> tuple[httpx.Response, int]:
        """Log in, and say in which epoch."""
        body = {"username": person.username, "password": person.password}
        answer = client.send("POST", "login/", body)
        client.csrf_token = None  # a login gives the browser a new CSRF secret
        return answer, self.read.get(threading.get_ident(), 0)


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> States:
    return States(monkeypatch)


def assert_alive(client: FlowClient) -> None:
    for method, where in (("GET", "whoami/"), ("GET", "me/"), ("POST", "refresh/")):
        answer = client.send(method, where)
        assert answer.status_code == 200, f"{where} {answer.text}"


def assert_dead(client: FlowClient, *, state_ended: bool) -> None:
    """As dead as the flow promises: what looks nothing up may answer until its bound."""
    assert_no_new_credential(refresh(client), client.flow)
    whoami = client.send("GET", "whoami/").status_code
    assert whoami == difference("whoami_after_logout", client.flow)
    if state_ended:
        assert client.send("GET", "me/").status_code == 401


@pushed
@pytest.mark.parametrize("ending", EVERY_ENDING)
def test_an_ending_racing_logins_and_refreshes(
    set_stage: Callable[[], Stage],
    states: States,
    visit: Visit,
    enter: Enter,
    flow: str,
    ada: Person,
    grace: Person,
    atomic_requests: bool,
    ending: str,
    settings: Settings,
) -> None:
    """R59, R68, R70; A37: only what was made from the new state works, and all of that does."""
    # A tab that keeps its old secret is asked last, and the machine may have stood still by then.
    settings.GRACE_SECONDS = 60
    bystander = enter(grace)
    for _ in range(trials(1, full=20 if ending in OTHER_WAYS else 100)):
        User.objects.filter(username="ada").update(is_active=True)
        set_password_to(ada.password)
        stage = set_stage()
        before = user().epoch
        refreshing = tabs(stage.client, visit, EACH)
        phones = tabs(stage.phone, visit, 2)
        arriving = [visit(flow) for _ in range(EACH)]
        for client in (*arriving, stage.phone, stage.client, stage.old):
            client.fetch_csrf_token()
        calls: list[Callable[[], Any]] = [
            partial(ENDINGS[ending], stage),
            *[partial(refresh, client) for client in (*refreshing, *phones)],
            *[partial(states.login, client, ada) for client in arriving],
        ]
        _, *answers = at_once(calls)
        refreshed, logins = answers[: -len(arriving)], answers[-len(arriving) :]
        statuses = [a.status_code for a in refreshed] + [a.status_code for a, _ in logins]
        assert set(statuses) <= {200, 401}, statuses
        state_ended = ending in ENDS_THE_STATE
        if not state_ended:
            spared = statuses[len(refreshing) :]
            assert set(spared) == {200}, "another device's refreshes, and every login"
        now = user()
        assert (now.epoch > before) == state_ended

        for client in refreshing:
            assert_dead(client, state_ended=state_ended)
        for client in (stage.phone, *phones):
            if state_ended:
                assert_dead(client, state_ended=True)
            else:
                assert_alive(client)
        for client, (answer, epoch) in zip(arriving, logins, strict=True):
            if not answer.is_success:
                continue
            if epoch == now.epoch:
                assert_alive(client)
            else:
                assert_dead(client, state_ended=True)
        if ending == "password change":
            assert_alive(stage.client)
        assert_alive(bystander)


def set_password_to(password: str) -> None:
    changed = user()
    changed.set_password(password)
    changed.save()


DELETIONS = {
    "deleted": lambda: user().delete(),
    "deleted in bulk": lambda: User.objects.filter(username="ada").delete(),
}


@pytest.mark.thorough
@pytest.mark.parametrize("deletion", DELETIONS.values(), ids=DELETIONS)
def test_a_deletion_racing_everything(
    enter: Enter,
    visit: Visit,
    flow: str,
    ada: Person,
    grace: Person,
    atomic_requests: bool,
    deletion: Callable[[], object],
) -> None:
    """R71: 401 for whoever comes too late, never 5xx; and the user is gone."""
    bystander = enter(grace)
    for _ in range(trials(4)):
        if not User.objects.filter(username=ada.username).exists():
            User.objects.create_user(ada.username, password=ada.password)
        refreshing = tabs(enter(ada), visit, 4)
        writing = tabs(enter(ada), visit, 4)
        leaving = tabs(enter(ada), visit, 2)
        ending = tabs(enter(ada), visit, 4)
        arriving = [visit(flow) for _ in range(4)]
        for client in arriving:
            client.fetch_csrf_token()
        credentials = {"username": ada.username, "password": ada.password}
        name = {"display_name": "late"}
        new = {"current_password": ada.password, "new_password": NEW_PASSWORD}
        a_device = f"devices/{ending[0].devices()[0]['id']}/"
        calls: list[Callable[[], Any]] = [
            deletion,
            partial(ending[0].send, "DELETE", a_device),
            partial(ending[1].send, "POST", "password/", new),
            *[partial(client.send, "POST", "logout-all/") for client in ending[2:]],
            *[partial(refresh, client) for client in refreshing],
            *[partial(client.send, "PATCH", "me/", name) for client in writing],
            *[partial(client.send, "POST", "logout/") for client in leaving],
            *[partial(client.send, "POST", "login/", credentials) for client in arriving],
        ]
        _, of_device, *answers = at_once(calls)
        assert of_device.status_code in (204, 401, 404), "404 once a logout-all has ended it"
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) <= {200, 204, 401}, statuses
        assert not User.objects.filter(username="ada").exists()
        for client in (*refreshing, *writing, *leaving, *arriving):
            client.csrf_token = None
            assert refresh(client).status_code == 401
        assert_alive(bystander)


# --- a write that was under way ---------------------------------------------------------------


class SlowWrite:
    """Holds a `PATCH me/` open between its read of the row and its write."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.may_go_on = threading.Event(), threading.Event()
        save = User.save

        def held_save(user: User, *args: Any, **kwargs: Any) -> None:
            if kwargs.get("update_fields") == ["display_name"]:
                self.reached.set()
                assert self.may_go_on.wait(timeout=30)
            save(user, *args, **kwargs)

        monkeypatch.setattr(User, "save", held_save)

    def meanwhile(self, write: Send, ending: Callable[[], object]) -> httpx.Response:
        """The answer of a write that was under way while a login was ended."""
        self.reached.clear()
        self.may_go_on.clear()

        def end() -> None:
            assert self.reached.wait(timeout=30)
            ending()
            self.may_go_on.set()

        answer, _ = at_once([write, end])
        assert isinstance(answer, httpx.Response)
        return answer


@pytest.fixture
def slow_write(monkeypatch: pytest.MonkeyPatch) -> SlowWrite:
    return SlowWrite(monkeypatch)


@pytest.mark.parametrize(
    "ending",
    mostly_in_ci([name for name in ENDINGS if "admin" not in name], "logout", "logout-all"),
)
def test_a_slow_write_racing_an_ending_brings_nothing_back(
    set_stage: Callable[[], Stage],
    slow_write: SlowWrite,
    visit: Visit,
    flow: str,
    ada: Person,
    atomic_requests: bool,
    ending: str,
) -> None:
    """R59, A40: it was let in before; what it writes must not be a login, nor its answer one."""
    for _ in range(trials(1, full=20 if ending in OTHER_WAYS else 200)):
        User.objects.filter(username="ada").update(is_active=True)
        set_password_to(ada.password)
        stage = set_stage()
        (writer,) = tabs(stage.client, visit, 1)
        for client in (stage.client, stage.old, stage.phone):
            client.fetch_csrf_token()
        name = {"display_name": "late"}
        before = user().epoch
        answer = slow_write.meanwhile(
            partial(writer.send, "PATCH", "me/", name), partial(ENDINGS[ending], stage)
        )
        assert answer.status_code in (200, 401), answer.text
        assert answer.headers["content-type"] == "application/json"
        assert str(difference("cookie_name", flow)) not in set_cookies(answer)
        assert (user().epoch > before) == (ending in ENDS_THE_STATE)
        assert_dead(writer, state_ended=ending in ENDS_THE_STATE)


def test_a_login_that_hashes_anew_does_not_put_the_old_password_back(
    set_stage: Callable[[], Stage],
    guest: FlowClient,
    ada: Person,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Threat: a better hasher is configured; who knew the old password keeps it by logging in."""
    scrypt = "django.contrib.auth.hashers.ScryptPasswordHasher"
    old_hash = make_password(ada.password, hasher=hashers.ScryptPasswordHasher())
    stage = set_stage()
    QuerySet(User).filter(username="ada").update(password=old_hash)
    guest.fetch_csrf_token()
    verify = hashers.ScryptPasswordHasher.verify
    changed: list[bool] = []

    def change_and_verify(hasher: Any, password: str, encoded: str) -> bool:
        if not changed:
            changed.append(True)
            set_password_in_admin(stage)
        return verify(hasher, password, encoded)

    monkeypatch.setattr(hashers.ScryptPasswordHasher, "verify", change_and_verify)
    settings.PASSWORD_HASHERS = [*settings.PASSWORD_HASHERS, scrypt]
    credentials = {"username": ada.username, "password": ada.password}
    assert guest.send("POST", "login/", credentials).status_code in (200, 401)
    assert changed
    assert user().check_password(NEW_PASSWORD)
    assert not user().check_password(ada.password)


# --- a database that lets one of two wait, or undoes it ---------------------------------------

STRICTER_BY_ENGINE: dict[str, dict[str, dict[str, Any]]] = {
    "sqlite3": {"EXCLUSIVE": {"transaction_mode": "EXCLUSIVE"}},
    "postgresql": {
        "REPEATABLE READ": {"isolation_level": IsolationLevel.REPEATABLE_READ},
        "SERIALIZABLE": {"isolation_level": IsolationLevel.SERIALIZABLE},
        # Also of the statements outside of transactions.
        "SERIALIZABLE by the server": {"options": "-c default_transaction_isolation=serializable"},
    },
}
STRICTER = STRICTER_BY_ENGINE[ENGINE]
IMPATIENCE: dict[str, dict[str, Any]] = {
    "sqlite3": {"timeout": 0.1},
    "postgresql": {"options": "-c lock_timeout=100ms"},
}
IMPATIENT = IMPATIENCE[ENGINE]
HOLD = {
    "sqlite3": """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("BEGIN IMMEDIATE")
""",
    "postgresql": """
import psycopg, sys
database = psycopg.connect(sys.argv[1])
database.execute("LOCK TABLE jwt_api_tokenfamily, accounts_authevent IN EXCLUSIVE MODE")
""",
}[ENGINE]
UNTIL_TOLD = """
print("held", flush=True)
sys.stdin.read()
database.rollback()
"""


class Holder:
    """Another process that has locked the database."""

    def __init__(self) -> None:
        name = str(connection.settings_dict["NAME"])
        if ENGINE == "postgresql":
            with connection.cursor():
                assert connection.connection is not None
                name = f"{connection.connection.info.dsn} dbname={name}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD + UNTIL_TOLD, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"held\n"

    def let_go(self) -> None:
        self.process.communicate(timeout=30)


@pytest.fixture
def connect_with(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Have every connection that is opened from now on be opened with these options."""

    def connect_with(**options: Any) -> None:
        for name, value in options.items():
            monkeypatch.setitem(connection.settings_dict["OPTIONS"], name, value)
        connection.close()

    yield connect_with
    connection.close()


@atomic_requests_in_ci
@pytest.mark.parametrize("options", STRICTER.values(), ids=STRICTER)
@pytest.mark.parametrize("grace_seconds", [10, 0])
def test_parallel_refreshes_where_the_database_is_stricter(
    enter: Enter,
    visit: Visit,
    flow: str,
    ada: Person,
    atomic_requests: bool,
    settings: Settings,
    connect_with: Callable[..., None],
    options: dict[str, Any],
    grace_seconds: int,
) -> None:
    """R34: a refresh that lost is undone by the database, and must not be answered with 5xx."""
    settings.GRACE_SECONDS = grace_seconds
    for _ in range(trials(1)):
        held = tabs(enter(ada), visit, 32)
        connect_with(**options)
        answers = at_once([partial(refresh, tab) for tab in held])
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses == ([200] * 32 if grace_seconds else [200] + [401] * 31)
        winners = [t for t, answer in zip(held, answers, strict=True) if answer.is_success]
        survives = grace_seconds or difference("lives_on_after_reuse", flow)
        assert live_branches(winners, settings) == (1 if survives else 0)


SAID: tuple[str, dict[str, Any], str] = {
    "sqlite3": ("PRAGMA busy_timeout", IMPATIENT, "100"),
    "postgresql": (
        "SHOW transaction_isolation",
        STRICTER.get("SERIALIZABLE", {}),
        "serializable",
    ),
}[ENGINE]


def test_options_reach_the_connection_of_every_thread(connect_with: Callable[..., None]) -> None:
    question, options, answer = SAID

    def ask() -> str:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(question)
            return str(cursor.fetchone()[0])

    connect_with(**options)
    assert set(at_once([ask] * 4)) == {answer}


@atomic_requests_in_ci
def test_refreshes_wait_for_a_locked_database(
    enter: Enter, visit: Visit, ada: Person, atomic_requests: bool
) -> None:
    """ "database is locked" never surfaces where the lock is held for a moment."""
    held = tabs(enter(ada), visit, 4)
    holder = Holder()

    def let_go() -> None:
        time.sleep(0.3)
        holder.let_go()

    calls: list[Callable[[], Any]] = [*[partial(refresh, tab) for tab in held], let_go]
    *answers, _ = at_once(calls)
    assert {answer.status_code for answer in answers} == {200}
    assert len(devices(held[0].flow)) == 1
    assert reuses() == 0


@atomic_requests_in_ci
@pytest.mark.parametrize("grace_seconds", [10, 0])
def test_refresh_that_gave_up_on_a_locked_database_burned_nothing(
    enter: Enter,
    visit: Visit,
    ada: Person,
    atomic_requests: bool,
    settings: Settings,
    connect_with: Callable[..., None],
    grace_seconds: int,
) -> None:
    """503 and the cookie kept, if it was not answered; then the same secret goes on being good."""
    settings.GRACE_SECONDS = grace_seconds
    client = enter(ada)
    client.fetch_csrf_token()
    holder = Holder()
    connect_with(**IMPATIENT)
    refused = refresh(client)
    holder.let_go()
    if not refused.is_success:
        assert_refused(refused, 503, "store_unavailable")
        assert str(difference("cookie_name", client.flow)) not in set_cookies(refused)
    assert refresh(client).status_code == 200
    assert_logged_in(client)
    assert reuses() == 0
