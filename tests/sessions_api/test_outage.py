"""What does a browser hear while Redis is really away? "Wait", never "you are logged out".

R58, R61, A41, A42, fact 7. Nothing is mocked: each test runs a Redis of its own and
stops it, stalls it, fills it, or takes its writing away.
"""

import copy
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django_redis import get_redis_connection
from django_redis.pool import ConnectionFactory
from pytest_django import Settings
from redis import Redis

from accounts.models import User
from authdemo.embedded_redis import answers, find_binary
from sessions_api.middleware import SessionMiddleware
from sessions_api.records import snapshot_name
from tests.accounts.racing import browser, log_in, post

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(find_binary() is None, reason="no redis-server to start"),
]

SHORT = 0.2
"""Seconds that are waited for Redis in most tests; one waits as long as the site does."""


class PrivateRedis:
    """A Redis that nobody else uses, in a folder with a path that a socket can have."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="authdemo-outage-", dir="/tmp"))
        self.socket = self.folder / "redis.sock"
        self.url = f"unix://{self.socket}?db=0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        binary = find_binary()
        assert binary is not None
        options = ["--port", "0", "--unixsocket", str(self.socket), "--save", ""]
        self.process = subprocess.Popen(
            [str(binary.path), *options, "--dir", str(self.folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while not (self.socket.exists() and answers(self.socket)):
            assert time.monotonic() < deadline, "it did not start"
            time.sleep(0.01)

    def stop(self) -> None:
        """Like a crash: what was not saved is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=10)
            self.process = None
            self.socket.unlink(missing_ok=True)

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def tell(self, *command: str | int) -> None:
        """One command, over a connection of its own."""
        with Redis(unix_socket_path=str(self.socket)) as client:
            client.execute_command(*command)


@pytest.fixture
def server(settings: Settings) -> Iterator[PrivateRedis]:
    """A running Redis that the site uses for this test."""
    server = PrivateRedis()
    server.start()
    use(settings, server, SHORT)
    yield server
    pool = ConnectionFactory._pools.pop(server.url, None)
    if pool is not None:
        pool.disconnect()
    server.stop()
    shutil.rmtree(server.folder)


def use(settings: Settings, server: PrivateRedis, seconds: float) -> None:
    """Point the site at that Redis, and have it wait that long for an answer."""
    changed = copy.deepcopy(settings.CACHES)
    changed["auth"]["LOCATION"] = server.url
    changed["auth"]["OPTIONS"].update(SOCKET_TIMEOUT=seconds, SOCKET_CONNECT_TIMEOUT=seconds)
    settings.CACHES = changed
    pool = ConnectionFactory._pools.pop(server.url, None)
    if pool is not None:
        pool.disconnect()
    assert get_redis_connection("auth").config_get("dir")["dir"] == str(server.folder)


# --- what can happen to a Redis, and how it ends --------------------------------------------------


def stop(server: PrivateRedis) -> None:
    """With what it knew on disk, as `appendonly` would leave it."""
    server.tell("SAVE")
    server.stop()


def stall(server: PrivateRedis) -> None:
    """Connections are made, and nothing is answered."""
    # Surprise: CLIENT PAUSE would hold back CLIENT UNPAUSE as well.
    server.signal(signal.SIGSTOP)


def go_on(server: PrivateRedis) -> None:
    server.signal(signal.SIGCONT)


def fill(server: PrivateRedis) -> None:
    server.tell("CONFIG", "SET", "maxmemory-policy", "noeviction")
    server.tell("CONFIG", "SET", "maxmemory", 1)


def make_room(server: PrivateRedis) -> None:
    server.tell("CONFIG", "SET", "maxmemory", 0)


def demote(server: PrivateRedis) -> None:
    """A failover made it a replica; of a primary that does not answer."""
    server.tell("REPLICAOF", "127.0.0.1", 1)


def promote(server: PrivateRedis) -> None:
    server.tell("REPLICAOF", "NO", "ONE")


Act = Callable[[PrivateRedis], None]
AWAY: dict[str, tuple[Act, Act]] = {
    "stopped": (stop, PrivateRedis.start),
    "stalled": (stall, go_on),
}
NOT_WRITABLE: dict[str, tuple[Act, Act]] = {
    "full": (fill, make_room),
    "demoted": (demote, promote),
}
OUTAGES = AWAY | NOT_WRITABLE

LOGIN = {"username": "ada", "password": "ada-demo-password"}
CHANGE = {"current_password": LOGIN["password"], "new_password": "seven-swallows-over-the-mill"}
Ask = Callable[[Client], Any]
READS: dict[str, Ask] = {
    "whoami": lambda client: client.get("/api/sessions/whoami/"),
    "me": lambda client: client.get("/api/sessions/me/"),
    "devices": lambda client: client.get("/api/sessions/devices/"),
    "profile page": lambda client: client.get("/sessions/profile/"),
    "devices page": lambda client: client.get("/sessions/devices/"),
}
WRITES: dict[str, Ask] = {
    "login": lambda client: post(client, "/api/sessions/login/", LOGIN),
    "refresh": lambda client: post(client, "/api/sessions/refresh/"),
    "password": lambda client: post(client, "/api/sessions/password/", CHANGE),
    "logout": lambda client: post(client, "/api/sessions/logout/"),
    "logout-all": lambda client: post(client, "/api/sessions/logout-all/"),
    "login page": lambda client: client.post("/sessions/login/", LOGIN),
    "logout page": lambda client: client.post("/sessions/logout/"),
}


def assert_waits(response: Any, name: str) -> None:
    """503 in the form of the door that was asked at; the browser keeps what it has."""
    assert response.status_code == 503, name
    assert int(response.headers["Retry-After"]) >= 1, name
    assert "no-store" in response.headers["Cache-Control"], name
    assert settings.SESSION_COOKIE_NAME not in response.cookies, name
    if name.endswith("page"):
        assert response.headers["Content-Type"].startswith("text/html"), name
        assert b"ada" not in response.content, name
    else:
        assert response.json().keys() == {"detail", "code"}, name
        assert response.json()["code"] == "store_unavailable", name


def whoami(client: Client) -> Any:
    return READS["whoami"](client)


@pytest.mark.parametrize("outage", AWAY)
def test_while_redis_is_away_every_call_and_page_waits(
    outage: str, server: PrivateRedis, ada: User
) -> None:
    begin, end = AWAY[outage]
    client = browser()
    log_in(client, "sessions")
    before = whoami(client).json()
    begin(server)
    for name, ask in (READS | WRITES).items():
        began = time.monotonic()
        assert_waits(ask(client), name)
        assert time.monotonic() - began < 3, name
    end(server)
    assert whoami(client).json() == before, "nobody was logged out, at the first request after it"
    row = User.objects.get(pk=ada.pk)
    assert (row.epoch, row.check_password(LOGIN["password"])) == (ada.epoch, True)


@pytest.mark.parametrize("outage", NOT_WRITABLE)
def test_redis_that_takes_no_writes_still_says_who_is_asking(
    outage: str, server: PrivateRedis, ada: User
) -> None:
    begin, end = NOT_WRITABLE[outage]
    client = browser()
    log_in(client, "sessions")
    before = whoami(client).json()
    begin(server)
    assert {name: ask(client).status_code for name, ask in READS.items()} == dict.fromkeys(
        READS, 200
    )
    for name, ask in WRITES.items():
        assert_waits(ask(client), name)
    assert whoami(client).json() == before, "what could not be written was not half written"
    end(server)
    assert whoami(client).json() == before
    assert post(client, "/api/sessions/refresh/").status_code == 200
    assert post(client, "/api/sessions/logout/").status_code == 204


@pytest.mark.parametrize("outage", OUTAGES)
def test_logout_is_never_claimed_and_can_be_repeated(
    outage: str, server: PrivateRedis, ada: User
) -> None:
    """R58, A41: stock cache sessions answer 200, and the old cookie works again afterwards."""
    begin, end = OUTAGES[outage]
    client = browser()
    log_in(client, "sessions")
    copied = browser(**{name: morsel.value for name, morsel in client.cookies.items()})
    begin(server)
    refused = [WRITES[name](client).status_code for name in ("logout", "logout-all", "logout page")]
    end(server)
    assert refused == [503, 503, 503]
    assert whoami(copied).status_code == 200
    assert post(client, "/api/sessions/logout/").status_code == 204
    assert whoami(copied).status_code == 401


def test_stalled_redis_is_waited_for_no_longer_than_the_setting_says(
    server: PrivateRedis, ada: User, settings: Settings
) -> None:
    """With the site's own timeout, and whatever redis-py would like to try again."""
    use(settings, server, settings.REDIS_TIMEOUT_SECONDS)
    client = browser()
    log_in(client, "sessions")
    stall(server)
    for name in ("whoami", "logout-all"):
        began = time.monotonic()
        assert_waits((READS | WRITES)[name](client), name)
        assert settings.REDIS_TIMEOUT_SECONDS <= time.monotonic() - began < 3, name


def test_short_stall_is_nobodys_business(server: PrivateRedis, ada: User) -> None:
    client = browser()
    log_in(client, "sessions")
    server.tell("CLIENT", "PAUSE", int(SHORT * 300))
    assert whoami(client).status_code == 200


def test_redis_that_restarted_empty_has_forgotten_everybody(
    server: PrivateRedis, ada: User
) -> None:
    """401, not 503: waiting would not help. The cookie is left to the next login (R61)."""
    client = browser()
    log_in(client, "sessions")
    server.stop()
    server.start()
    response = whoami(client)
    assert (response.status_code, response.json()["code"]) == (401, "credential_invalid")
    assert settings.SESSION_COOKIE_NAME not in response.cookies
    assert post(client, "/api/sessions/refresh/").json()["code"] == "credential_invalid"
    assert client.get("/sessions/profile/").status_code == 302
    log_in(client, "sessions")
    assert whoami(client).status_code == 200


@pytest.mark.parametrize("outage", OUTAGES)
def test_tokens_go_on_without_redis(outage: str, server: PrivateRedis, ada: User) -> None:
    """Design 5.5: the other flow checks a signature, and its families stand in the database."""
    client = browser()
    token = log_in(client, "jwt")["credential"]["token"]
    OUTAGES[outage][0](server)
    refreshed = post(client, "/api/jwt/refresh/")
    assert refreshed.status_code == 200
    for held in (token, refreshed.json()["credential"]["token"]):
        response = client.get("/api/jwt/whoami/", headers={"Authorization": f"Bearer {held}"})
        assert response.json()["id"] == ada.pk


@pytest.mark.parametrize("outage", AWAY)
@pytest.mark.parametrize("path", ["/", "/sessions/login/", "/jwt/login/", "/admin/", "/healthz"])
def test_pages_that_may_be_looked_at_never_break(
    path: str, outage: str, server: PrivateRedis, ada: User
) -> None:
    """A42: with a session cookie they wait, or need none; nobody loses the cookie over it."""
    client = browser()
    log_in(client, "sessions")
    AWAY[outage][0](server)
    response = client.get(path)
    assert response.status_code in (200, 503)
    assert settings.SESSION_COOKIE_NAME not in response.cookies


def test_visitor_without_a_cookie_needs_no_redis(server: PrivateRedis) -> None:
    server.stop()
    for path in ("/", "/sessions/login/", "/healthz"):
        assert browser().get(path).status_code == 200
    response = browser().get("/api/sessions/whoami/")
    assert response.json()["code"] == "not_authenticated"


@pytest.mark.parametrize("outage", NOT_WRITABLE)
def test_session_that_cannot_be_touched_is_not_lost(
    outage: str, server: PrivateRedis, ada: User
) -> None:
    """After a minute a request notes that the session was used, which it now cannot."""
    begin, end = NOT_WRITABLE[outage]
    client = browser()
    log_in(client, "sessions")
    begin(server)
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=61), tick=True):
        response = whoami(client)
        assert response.status_code in (200, 503)
        assert settings.SESSION_COOKIE_NAME not in response.cookies
        end(server)
        assert whoami(client).status_code == 200


@pytest.mark.parametrize("outage", NOT_WRITABLE)
def test_who_is_asking_can_be_read_for_longer_than_a_minute(
    outage: str, server: PrivateRedis, ada: User
) -> None:
    """Else a full Redis, which answers every read, has everybody wait after one minute."""
    client = browser()
    log_in(client, "sessions")
    NOT_WRITABLE[outage][0](server)
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=61), tick=True):
        assert whoami(client).status_code == 200


def test_write_on_the_way_out_that_redis_does_not_take_is_a_503(
    server: PrivateRedis, ada: User
) -> None:
    """The view is done, and its answer must not claim what was not written."""
    client = browser()
    log_in(client, "sessions")

    def write(request: HttpRequest) -> HttpResponse:
        request.session["note"] = "written as the last thing"
        server.stop()
        return HttpResponse("done")

    for path in ("/api/sessions/me/", "/sessions/profile/"):
        request = RequestFactory().get(path)
        request.COOKIES = {name: morsel.value for name, morsel in client.cookies.items()}
        response: Any = SessionMiddleware(write)(request)
        assert (response.status_code, int(response.headers["Retry-After"]) >= 1) == (503, True)
        assert not response.cookies, path
        server.start()
        log_in(client, "sessions")


def test_stall_between_two_requests_leaves_no_broken_connection(
    server: PrivateRedis, ada: User
) -> None:
    """Surprise: a reply that comes after the timeout must not be taken for the next one's."""
    client, other = browser(), browser()
    log_in(client, "sessions")
    log_in(other, "sessions")
    devices = [whoami(browser_).json()["device"] for browser_ in (client, other)]
    for _ in range(3):
        server.tell("CLIENT", "PAUSE", int(SHORT * 1500))
        assert whoami(client).status_code == 503
        time.sleep(SHORT)
        seen = [whoami(browser_).json()["device"] for browser_ in (client, other)]
        assert seen == devices


# --- the database ---------------------------------------------------------------------------------


def fail(*args: Any) -> None:
    raise OperationalError("server closed the connection unexpectedly")


def test_without_the_database_a_known_user_is_recognised(ada: User, redis: Any) -> None:
    """The snapshot answers, and whoever needs the row waits."""
    client = browser()
    log_in(client, "sessions")
    with connection.execute_wrapper(fail):
        assert whoami(client).status_code == 200
        assert_waits(READS["me"](client), "me")
        assert_waits(READS["profile page"](client), "profile page")


def test_without_the_database_a_missing_snapshot_is_no_logout(ada: User, redis: Any) -> None:
    """Nobody knows whether ada is active: neither 200 nor 401 would be honest."""
    client = browser()
    log_in(client, "sessions")
    redis.delete(snapshot_name(ada.pk))
    with connection.execute_wrapper(fail):
        assert_waits(whoami(client), "whoami")
        assert_waits(READS["profile page"](client), "profile page")
    assert redis.exists(snapshot_name(ada.pk)) == 0, "nothing was guessed and kept"
    assert whoami(client).status_code == 200
