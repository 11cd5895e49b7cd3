"""What happens while one server's clock is wrong? It may refuse; it neither ends nor revives.

R12, R13. `time_machine` moves the clock of the process, as of one web server among several;
Redis and the database keep the true time.

A step within the leeway is not noticed. A larger one may refuse what it takes for not yet
valid, for as long as it lasts, and is forgotten when the clock is right again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

import httpx
import pytest
from pytest_django import Settings

from accounts.client import FlowClient
from accounts.models import AuthEvent, User
from lab.differences import difference
from tests.contract.answers import secret_of, set_cookies, steal
from tests.contract.clock import Clock
from tests.contract.people import Enter, Person, Visit
from tests.rows import mostly_in_ci

pytestmark = pytest.mark.inside("moves the clock")

STEPS = {"-1h": -3600, "-60s": -60, "-20s": -20, "+20s": 20, "+60s": 60}


@dataclass
class Scene:
    """Somebody who is logged in, and what a second browser has copied from the first."""

    client: FlowClient
    copy: Callable[[], FlowClient]
    person: Person
    clock: Clock
    settings: Settings

    @contextmanager
    def off_by(self, step: str) -> Iterator[None]:
        """This server's clock is wrong; Redis and the database go on by the true time."""
        with clock_off_by(self.clock, step):
            yield

    def again(self) -> FlowClient:
        """What the person's own browser holds, in a browser that never drops anything."""
        return steal(self.client, self.copy())


@contextmanager
def clock_off_by(clock: Clock, step: str) -> Iterator[None]:
    clock.traveller.shift(STEPS[step])
    yield
    clock.traveller.shift(-STEPS[step])


Act: TypeAlias = Callable[[Scene], FlowClient]


def live(scene: Scene) -> FlowClient:
    return scene.again()


def predecessor(scene: Scene) -> FlowClient:
    """Refreshed a moment ago by another tab."""
    held = scene.again()
    scene.client.refresh()
    return held


def late_predecessor(scene: Scene) -> FlowClient:
    """Refreshed longer ago than the grace lasts."""
    held = predecessor(scene)
    scene.clock.advance(scene.settings.GRACE_SECONDS + 1)
    return held


def logged_out(scene: Scene) -> FlowClient:
    held = scene.again()
    scene.client.logout()
    return held


def logged_out_everywhere(scene: Scene) -> FlowClient:
    held = scene.again()
    scene.client.logout_all()
    return held


def deactivated(scene: Scene) -> FlowClient:
    User.objects.filter(username=scene.person.username).update(is_active=False)
    return scene.again()


def seconds_left(client: FlowClient) -> float:
    here = next(entry for entry in client.devices() if entry["current"])
    return (datetime.fromisoformat(here["expires"]) - datetime.now(UTC)).total_seconds()


def some_time_ago(scene: Scene, seconds: float) -> FlowClient:
    """Logged in so long ago, and not seen since, by every clock.

    Surprise: the database's own clock cannot be moved ahead. So the login is moved back.
    """
    scene.clock.traveller.shift(-seconds)
    scene.client.login(scene.person.username, scene.person.password)
    held = scene.again()
    scene.clock.advance(seconds)
    return held


def unused_for_too_long(scene: Scene) -> FlowClient:
    """By seconds only, so that a clock that is late would not think so."""
    idle = seconds_left(scene.client)
    return some_time_ago(scene, idle + scene.settings.LEEWAY_SECONDS + 5)


def past_its_absolute_end(scene: Scene) -> FlowClient:
    scene.settings.ABSOLUTE_SECONDS = 100
    return some_time_ago(scene, 100 + scene.settings.LEEWAY_SECONDS + 5)


NEVER: dict[str, Act] = {
    "logged out": logged_out,
    "logged out everywhere": logged_out_everywhere,
    "deactivated": deactivated,
    "unused for too long": unused_for_too_long,
    "past its absolute end": past_its_absolute_end,
}


@pytest.fixture
def scene(
    enter: Enter, visit: Visit, flow: str, ada: Person, clock: Clock, settings: Settings
) -> Scene:
    return Scene(enter(ada), lambda: visit(flow), ada, clock, settings)


def refuses(flow: str, step: str) -> bool:
    """Whether a live login is refused for as long as this step lasts."""
    refused = difference("refused_while_the_clock_is_off", flow)
    assert isinstance(refused, tuple)
    return step in refused


def ask(client: FlowClient, method: str, path: str) -> httpx.Response:
    """Ask, with a CSRF token at hand: its own request is nobody's business here."""
    client.fetch_csrf_token()
    return client.send(method, path)


@pytest.mark.parametrize("step", mostly_in_ci(list(STEPS), "-1h"))
@pytest.mark.parametrize(
    ("method", "path"),
    mostly_in_ci(
        {"whoami": ("GET", "whoami/"), "me": ("GET", "me/"), "refresh": ("POST", "refresh/")},
        "refresh",
    ),
)
def test_a_live_login_survives_a_step(
    scene: Scene, flow: str, step: str, method: str, path: str
) -> None:
    """A refusal neither ends the login nor drops its cookie."""
    client, secret = scene.client, secret_of(scene.client)
    with scene.off_by(step):
        response = ask(client, method, path)
    assert response.status_code == (401 if refuses(flow, step) else 200), response.text
    if response.status_code == 401:
        assert set_cookies(response) == {}
        assert secret_of(client) == secret
        assert response.json()["code"] != "credential_reused"
    if method == "POST" and refuses_what_is_made(flow, step):
        assert ask(client, method, path).status_code == 401, "it comes from the future"
        scene.clock.advance(STEPS[step])
    assert ask(client, method, path).status_code == 200, "when the clock is right again"
    assert ask(client, "GET", "me/").status_code == 200
    assert not AuthEvent.objects.filter(kind=AuthEvent.Kind.REUSE).exists()


@pytest.mark.parametrize("step", STEPS)
def test_a_login_from_a_wrong_clock_is_good_in_the_end(
    visit: Visit, flow: str, ada: Person, clock: Clock, step: str
) -> None:
    """Logged in at a server whose clock is off, used at one whose clock is right."""
    client = visit(flow)
    with clock_off_by(clock, step):
        client.login(ada.username, ada.password)
        assert ask(client, "GET", "whoami/").status_code == 200
    if refuses_what_is_made(flow, step):
        for method, path in (("GET", "whoami/"), ("POST", "refresh/")):
            response = ask(client, method, path)
            assert response.status_code == 401, path
            assert set_cookies(response) == {}
        clock.advance(STEPS[step])
    assert ask(client, "POST", "refresh/").status_code == 200
    assert ask(client, "GET", "whoami/").status_code == 200
    assert not AuthEvent.objects.filter(kind=AuthEvent.Kind.REUSE).exists()


def refuses_what_is_made(flow: str, step: str) -> bool:
    """Whether what a clock made that was ahead is refused until the right one gets there."""
    refused = difference("refused_after_the_clock_was_off", flow)
    assert isinstance(refused, tuple)
    return step in refused


@pytest.mark.parametrize("step", STEPS)
def test_a_second_tab_is_no_thief_at_any_step(scene: Scene, flow: str, step: str) -> None:
    """Threat: two servers whose clocks differ by the grace would end a family for nothing."""
    held = predecessor(scene)
    with scene.off_by(step):
        response = ask(held, "POST", "refresh/")
    assert response.status_code == (401 if refuses(flow, step) else 200), response.text
    assert set_cookies(response) == {} or response.status_code == 200
    assert ask(scene.client, "POST", "refresh/").status_code == 200
    assert not AuthEvent.objects.filter(kind=AuthEvent.Kind.REUSE).exists()


@pytest.mark.parametrize("step", STEPS)
def test_a_late_predecessor_is_refused_at_every_step(scene: Scene, flow: str, step: str) -> None:
    """A47: a clock that went back does not lengthen the grace."""
    held = late_predecessor(scene)
    with scene.off_by(step):
        response = ask(held, "POST", "refresh/")
        assert response.status_code == 401
    assert ask(held, "POST", "refresh/").status_code == 401
    renewed = ask(scene.client, "POST", "refresh/").is_success
    assert renewed == difference("lives_on_after_reuse", flow)


@pytest.mark.parametrize("step", mostly_in_ci(list(STEPS), "-1h"))
@pytest.mark.parametrize("over", mostly_in_ci(list(NEVER), "unused for too long"))
def test_what_is_over_is_over_at_every_step(scene: Scene, flow: str, step: str, over: str) -> None:
    """Nothing renews it; an access token that nothing looks up is another test's."""
    held = NEVER[over](scene)
    with scene.off_by(step):
        response = ask(held, "POST", "refresh/")
        assert response.status_code == 401
        assert set_cookies(response) == {}
    assert ask(held, "POST", "refresh/").status_code == 401
    if difference("whoami_after_logout", flow) == 401:
        with scene.off_by(step):
            assert ask(held, "GET", "whoami/").status_code == 401
        assert ask(held, "GET", "whoami/").status_code == 401


@pytest.mark.parametrize("step", STEPS)
def test_what_has_expired_comes_back_by_no_more_than_the_step(scene: Scene, step: str) -> None:
    """The limit of what nothing looks up: a clock that is late believes it for that much longer."""
    lasts = scene.client.refresh()["credential"]["expires_in"]
    late_by = max(0, -STEPS[step])
    held = some_time_ago(scene, lasts + scene.settings.LEEWAY_SECONDS + late_by + 2)
    with scene.off_by(step):
        assert ask(held, "GET", "whoami/").status_code == 401
    assert ask(held, "GET", "whoami/").status_code == 401


@pytest.mark.parametrize("step", STEPS)
def test_login_limits_are_counted_by_redis(
    scene: Scene, flow: str, ada: Person, settings: Settings, step: str
) -> None:
    settings.LOGIN_LIMIT_ACCOUNT = 2
    body = {"username": ada.username, "password": "not-the-password"}
    guesses = [scene.copy().send("POST", "login/", body).status_code for _ in range(3)]
    assert guesses[-1] == 429
    with scene.off_by(step):
        assert scene.copy().send("POST", "login/", body).status_code == 429
    assert scene.copy().send("POST", "login/", body).status_code == 429
