"""What is said while a store is away? 503 and "keep the cookie", never "you are logged out"."""

import copy
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.test import override_settings

from accounts.client import FlowClient
from lab.differences import difference
from tests.contract.answers import assert_logged_in, assert_refused, secret_of, set_cookies, steal
from tests.contract.calls import CALLS, PERSONAL, Call
from tests.contract.people import Enter, Person

pytestmark = pytest.mark.inside("takes a store away")


@contextmanager
def redis_at(location: str, **options: Any) -> Iterator[None]:
    """Let the site look for Redis somewhere else."""
    caches = copy.deepcopy(settings.CACHES)
    caches["auth"]["LOCATION"] = location
    caches["auth"]["OPTIONS"].update(options)
    with override_settings(CACHES=caches):
        yield


@contextmanager
def no_redis() -> Iterator[None]:
    """Nobody listens there."""
    with redis_at("unix:///nonexistent/redis.sock?db=0"):
        yield


@contextmanager
def stalled_redis(folder: Path) -> Iterator[None]:
    """Somebody listens, and never answers."""
    path = folder / "stalled.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(64)
        with redis_at(f"unix://{path}?db=0", SOCKET_TIMEOUT=0.1):
            yield


@contextmanager
def no_database() -> Iterator[None]:
    """Every statement fails as it does when the server has gone away."""

    def fail(*args: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    with connection.execute_wrapper(fail):
        yield


def lives_on(key: str, flow: str) -> tuple[str, ...]:
    """The names of the calls that need no such store in this flow."""
    names = difference(key, flow)
    assert isinstance(names, tuple)
    return names


def assert_waits(response: Any, client: FlowClient, secret: str) -> None:
    """Nothing was decided: the same cookie may be presented once more."""
    assert_refused(response, 503, "store_unavailable")
    assert str(difference("cookie_name", client.flow)) not in set_cookies(response)
    assert secret_of(client) == secret


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_without_redis_a_call_waits_or_works(
    enter: Enter, flow: str, ada: Person, call: Call
) -> None:
    client = enter(ada)
    secret, device = secret_of(client), client.whoami()["device"]
    client.fetch_csrf_token()
    works = call.name in lives_on("lives_on_without_redis", flow)
    with no_redis():
        response = call.send(client, ada, device=device)
    if response.status_code == 503:
        assert_waits(response, client, secret)
    assert response.status_code == {True: call.success, False: 503}[works]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_without_the_database_a_call_waits_or_works(
    enter: Enter, flow: str, ada: Person, call: Call
) -> None:
    client = enter(ada)
    secret, device = secret_of(client), client.whoami()["device"]
    client.fetch_csrf_token()
    works = call.name in lives_on("lives_on_without_database", flow)
    with no_database():
        response = call.send(client, ada, device=device)
    if response.status_code == 503:
        assert_waits(response, client, secret)
    assert response.status_code == {True: call.success, False: 503}[works]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("call", PERSONAL, ids=str)
@pytest.mark.parametrize("outage", [no_redis, no_database])
def test_after_the_outage_the_login_goes_on(
    enter: Enter, ada: Person, call: Call, outage: Callable[[], Any]
) -> None:
    """A 503 has changed nothing, not even half: neither the password nor the epoch."""
    client, other = enter(ada), enter(ada)
    client.fetch_csrf_token()
    with outage():
        refused = call.send(client, ada, device="AAAAAAAAAAA").status_code == 503
    assert_logged_in(client)
    client.refresh()
    assert client.me()["username"] == ada.username
    other.refresh()
    assert not refused or enter(ada).me()["username"] == ada.username


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["refresh/", "logout/"])
def test_after_an_outage_of_the_database_it_can_be_asked_again(
    enter: Enter, flow: str, ada: Person, path: str
) -> None:
    """Whatever was answered meanwhile: what the browser holds then is good for asking again."""
    client = enter(ada)
    client.fetch_csrf_token()
    works = path.strip("/") in lives_on("lives_on_without_database", flow)
    with no_database():
        assert client.send("POST", path).is_success == works
    assert client.send("POST", path).is_success


@pytest.mark.django_db(transaction=True)
def test_a_logout_during_an_outage_of_the_database_is_one_or_says_that_it_is_none(
    enter: Enter, guest: FlowClient, flow: str, ada: Person
) -> None:
    """R58: the audit row, which cannot be written, decides nothing; the credential's store does."""
    client = enter(ada)
    held = steal(client, guest)
    client.fetch_csrf_token()
    with no_database():
        confirmed = client.send("POST", "logout/").is_success
    assert confirmed == ("logout" in lives_on("lives_on_without_database", flow))
    assert confirmed == held.send("POST", "refresh/").is_error


def test_a_logout_that_redis_did_not_take_is_no_logout(
    enter: Enter, guest: FlowClient, flow: str, ada: Person
) -> None:
    """Threat: stock cache sessions answer 200 here, and the old cookie works again afterwards."""
    client = enter(ada)
    held = steal(client, guest)
    client.fetch_csrf_token()
    with no_redis():
        confirmed = client.send("POST", "logout/").is_success
    assert confirmed == held.send("POST", "refresh/").is_error


def test_a_stalled_redis_is_no_hang(enter: Enter, flow: str, ada: Person, tmp_path: Path) -> None:
    client = enter(ada)
    secret = secret_of(client)
    client.fetch_csrf_token()
    began = time.monotonic()
    with stalled_redis(tmp_path):
        response = client.send("POST", "logout-all/")
    assert time.monotonic() - began < 3
    assert_waits(response, client, secret)
    assert_logged_in(client)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_load_balancer_can_tell_alive_from_ready(guest: FlowClient, path: str) -> None:
    assert guest.http.get(path).status_code == 200
    with no_redis():
        assert guest.http.get(path).status_code == {"/healthz": 200, "/readyz": 503}[path]
