"""What does an operator read of a login's life? One line per event, all of it, and no secret."""

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.conf import settings as site_settings
from django.db import OperationalError, connection, transaction
from pytest_django import Settings

from accounts import audit, lifecycle
from accounts.client import FlowClient
from accounts.models import AuthEvent, User
from accounts.security_log import hashed_device
from lab.differences import difference
from tests.contract.answers import secret_of, steal
from tests.contract.people import NEW_PASSWORD, Enter, Person
from tests.contract.test_by_mail import link_to, newest_link, use
from tests.contract.test_store_outage import lives_on
from tests.log_reader import Log, reading
from tests.outages import no_database, no_redis, redis_at

pytestmark = [pytest.mark.once, pytest.mark.inside("reads the log")]

EVENTS = [kind.value for kind in AuthEvent.Kind]


@pytest.fixture
def log() -> Iterator[Log]:
    with reading() as log:
        yield log


def assert_tells(line: dict[str, Any], answer: httpx.Response, **expected: Any) -> None:
    """Who, from where, by which request, and whether the audit trail has it too."""
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", line["timestamp"])
    assert line["ip"] == "127.0.0.1"
    assert line["user_agent"].startswith("python-httpx")
    assert {name: line.get(name) for name in expected} == expected


# --- one line per event -----------------------------------------------------------------------

Send = Callable[[FlowClient, FlowClient, Person], httpx.Response]


def wrong_login(client: FlowClient, other: FlowClient, ada: Person) -> httpx.Response:
    body = {"username": ada.username, "password": "not-the-password"}
    return client.send("POST", "login/", body)


def login(client: FlowClient, other: FlowClient, ada: Person) -> httpx.Response:
    body = {"username": ada.username, "password": ada.password}
    return client.send("POST", "login/", body)


def refresh(client: FlowClient, other: FlowClient, ada: Person) -> httpx.Response:
    return client.send("POST", "refresh/")


def logout(client: FlowClient, other: FlowClient, ada: Person) -> httpx.Response:
    return client.send("POST", "logout/")


def logout_all(client: FlowClient, other: FlowClient, ada: Person) -> httpx.Response:
    return client.send("POST", "logout-all/")


def end_other(client: FlowClient, other: FlowClient, ada: Person) -> httpx.Response:
    return client.send("DELETE", f"devices/{other.whoami()['device']}/")


def change_password(client: FlowClient, other: FlowClient, ada: Person) -> httpx.Response:
    body = {"current_password": ada.password, "new_password": NEW_PASSWORD}
    return client.send("POST", "password/", body)


# What is done, the kind of its event, and whose device the event names.
HAPPENS: dict[str, tuple[Send, str]] = {
    "login_failed": (wrong_login, ""),
    "refresh": (refresh, "own"),
    "logout": (logout, "own"),
    "logout_all": (logout_all, ""),
    "revoke": (end_other, "other"),
    "password_changed": (change_password, ""),
}


@pytest.mark.parametrize("kind", HAPPENS)
def test_an_event_is_one_line(
    enter: Enter, flow: str, ada: Person, kind: str, log: Log
) -> None:  # R95
    send, whose = HAPPENS[kind]
    client, other = enter(ada), enter(ada)
    devices = {"own": client.whoami()["device"], "other": other.whoami()["device"], "": ""}
    client.fetch_csrf_token()
    before = len(log.lines(*EVENTS))
    answer = send(client, other, ada)
    assert len(log.lines(*EVENTS)) == before + 1
    line = log.only(kind)
    user = User.objects.get(username=ada.username)
    assert_tells(line, answer, flow=flow, user_id=user.pk, level="info", stored=True)
    assert line.get("device", "") == hashed_device(devices[whose])
    assert line["path"].startswith(f"/api/{flow}/")


def test_a_login_is_one_line(guest: FlowClient, flow: str, ada: Person, log: Log) -> None:  # R95
    answer = login(guest, guest, ada)
    line = log.only("login")
    assert log.lines(*EVENTS) == [line]
    user_id = answer.json()["user"]["id"]
    device = hashed_device(guest.whoami()["device"])
    assert_tells(line, answer, flow=flow, user_id=user_id, device=device, stored=True)


def test_a_throttled_login_is_one_line_that_warns(
    guest: FlowClient, flow: str, ada: Person, settings: Settings, log: Log
) -> None:  # R95
    settings.LOGIN_LIMIT_ACCOUNT = 0
    answer = login(guest, guest, ada)
    assert_tells(log.only("login_throttled"), answer, flow=flow, level="warning", stored=True)
    assert_tells(log.only("refused"), answer, flow=flow, status=429, code="throttled")


def test_a_secret_used_twice_is_one_line_that_warns(
    enter: Enter, guest: FlowClient, flow: str, ada: Person, log: Log
) -> None:
    """R39, R95: the second time is a refusal of a family that is ended, and no second event."""
    client = enter(ada)
    device, late = client.whoami()["device"], steal(client, guest)
    client.refresh()
    client.refresh()
    answer = late.send("POST", "refresh/")
    late.send("POST", "refresh/")
    code = difference("code_of_a_rotated_secret", flow)
    assert [line["code"] for line in log.lines("refused")] == [code, "credential_revoked"]
    assert_tells(log.lines("refused")[0], answer, flow=flow, status=401, level="info")
    reuses = log.lines("reuse")
    assert len(reuses) == (code == "credential_reused")
    for line in reuses:
        user = User.objects.get(username=ada.username)
        told = {"flow": flow, "user_id": user.pk, "device": hashed_device(device), "stored": True}
        assert_tells(line, answer, level="warning", **told)


def test_a_refusal_is_one_line_with_the_cause(
    guest: FlowClient, flow: str, log: Log
) -> None:  # R95
    """Django's own line for the same answer is left out: it knows less."""
    answer = guest.send("GET", "whoami/", headers={"Authorization": "Bearer x.y.z", "Cookie": ""})
    (line,) = [line for line in log.lines() if line["logger"].startswith(("django", "authdemo"))]
    assert_tells(line, answer, flow=flow, status=401, code=answer.json()["code"], level="info")
    assert line["cause"]


@pytest.mark.parametrize("page", ["profile", "devices"])
def test_a_credential_that_a_page_refuses_is_one_line(
    enter: Enter, flow: str, ada: Person, log: Log, page: str
) -> None:
    """And a visitor who presents none is none: that is no attack, and not worth a line."""
    client = enter(ada)
    bearer = {"Authorization": f"Bearer {client.token}"} if client.token else {}
    enter(ada).logout_all()
    client.http.get(f"/{flow}/{page}/", headers=bearer)
    line = log.only("refused")
    assert (line["status"], line["code"]) == (401, "credential_revoked")
    assert (line["flow"], line["path"]) == (flow, f"/{flow}/{page}/")
    client.http.cookies.clear()
    client.http.get(f"/{flow}/{page}/")
    assert log.only("refused") == line


def test_a_refusal_of_a_known_user_names_them(
    enter: Enter, flow: str, ada: Person, log: Log
) -> None:
    client = enter(ada)
    device = client.whoami()["device"]
    answer = client.send("DELETE", "devices/AAAAAAAAAAA/")
    user = User.objects.get(username=ada.username)
    told = {"flow": flow, "user_id": user.pk, "device": hashed_device(device), "status": 404}
    assert_tells(log.only("refused"), answer, **told)


@pytest.mark.parametrize("outage", [no_redis, no_database])
@pytest.mark.django_db(transaction=True)
def test_a_store_that_is_away_is_one_line_that_names_it(
    enter: Enter, guest: FlowClient, flow: str, ada: Person, outage: Callable[[], Any], log: Log
) -> None:
    guest.fetch_csrf_token()
    store = outage.__name__.removeprefix("no_")
    with outage():
        answer = login(guest, guest, ada)
    line = log.only("refused")
    assert_tells(line, answer, flow=flow, status=503, store=store, level="error")
    assert not log.lines("login", "audit_event_not_stored")


@pytest.mark.django_db(transaction=True)
def test_a_crash_is_one_line_with_the_place_and_the_request(
    enter: Enter, flow: str, ada: Person, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(presented: Any) -> None:
        raise RuntimeError("nobody has thought of this")

    client = enter(ada)
    monkeypatch.setattr(lifecycle, "current_user", fail)
    answer = client.send("GET", "me/")
    assert answer.status_code == 500
    (line,) = [line for line in log.lines() if line["level"] == "error"]
    assert line["request_id"] == answer.headers["X-Request-ID"]
    assert (line["status"], line["path"]) == (500, f"/api/{flow}/me/")
    assert line["exception"].endswith("RuntimeError")
    assert "in current_user" in line["exception"]


# --- the audit trail says when it has a gap ---------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["logout/", "refresh/"])
def test_an_event_that_could_not_be_stored_is_told(
    enter: Enter, flow: str, ada: Person, path: str, log: Log
) -> None:
    """What Redis confirmed stays confirmed, and the log has the event that the trail has not."""
    client = enter(ada)
    device = client.whoami()["device"]
    client.fetch_csrf_token()
    with no_database():
        answer = client.send("POST", path)
    kind = path.strip("/")
    works = kind in lives_on("lives_on_without_database", flow)
    assert answer.is_success == works
    assert not AuthEvent.objects.filter(kind=kind).exists()
    lines = log.lines(kind, "audit_event_not_stored")
    assert [line["event"] for line in lines] == [kind, "audit_event_not_stored"] * works
    for line in lines:
        assert_tells(line, answer, flow=flow, device=hashed_device(device), stored=False)
    for line in lines[1:]:
        assert (line["level"], line["kind"]) == ("error", kind)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", [logout_all, change_password])
def test_a_change_fails_with_its_event(
    enter: Enter, flow: str, ada: Person, change: Send, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside of a transaction the event is part of the change: no epoch is raised unseen."""
    client = enter(ada)
    client.fetch_csrf_token()
    before = User.objects.get(username=ada.username)

    def cannot_be_written(**values: Any) -> None:
        raise OperationalError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(AuthEvent.objects, "create", cannot_be_written)
        # The password is proven outside of the transaction, and its events are none of this.
        answer = change(client, client, ada)
    assert answer.status_code == 503
    after = User.objects.get(username=ada.username)
    assert (after.epoch, after.password) == (before.epoch, before.password)
    assert not log.lines("logout_all", "password_changed", "audit_event_not_stored")
    assert log.only("refused")["store"] == "database"


@pytest.mark.django_db(transaction=True)
def test_an_event_that_was_rolled_back_is_not_told(site: str, log: Log) -> None:
    def change() -> None:
        with transaction.atomic():
            audit.record(AuthEvent.Kind.LOGOUT_ALL, None)
            raise RuntimeError("the rest of the change failed")

    with pytest.raises(RuntimeError):
        change()
    assert not AuthEvent.objects.exists()
    assert not log.lines("logout_all")


# --- and no secret ----------------------------------------------------------------------------


class Secrets:
    """All that a browser was given, has sent or was told, as it went over the wire."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def watch(self, client: FlowClient) -> None:
        client.http.event_hooks["request"].append(self.sent)
        client.http.event_hooks["response"].append(self.answered)

    def sent(self, request: httpx.Request) -> None:
        self.cookies(request.headers.get("Cookie", ""))
        for header in ("Authorization", "X-CSRFToken"):
            self.found |= set(request.headers.get(header, "").split()[-1:])

    def answered(self, response: httpx.Response) -> None:
        for header in response.headers.get_list("set-cookie"):
            self.cookies(header.partition(";")[0])
        response.read()
        self.found |= set(re.findall(r'"(?:token|csrf_token)":"([^"]+)"', response.text))
        self.found |= set(re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', response.text))

    def cookies(self, header: str) -> None:
        self.found |= {pair.partition("=")[2].strip() for pair in header.split(";")}

    def parts(self) -> set[str]:
        """Each secret, and each part of it: a token's signature alone is as bad as the whole."""
        parts = {part for secret in self.found for part in re.split(r"[.:\s]", secret)}
        return {part for part in self.found | parts if len(part) >= 8}


WRONG_FIELD = "password-in-the-wrong-field"
OWN_WORDS = {
    "ada-demo-password",
    "not-the-password",
    WRONG_FIELD,
    NEW_PASSWORD,
    "hunter2hunter2",
}


def live_a_whole_life(
    client: FlowClient,
    other: FlowClient,
    late: FlowClient,
    ada: Person,
    monkeypatch: pytest.MonkeyPatch,
) -> list[str]:
    """Everything that can happen to a login, and everything wrong that can be sent.

    Returns the ids of the devices that took part, and what stood in the links that were mailed.
    """
    api = f"/api/{client.flow}"
    for username, password in [(ada.username, "not-the-password"), (WRONG_FIELD, ada.password)]:
        client.send("POST", "login/", {"username": username, "password": password})
    client.login(ada.username, ada.password)
    other.login(ada.username, ada.password)
    devices = [client.whoami()["device"], other.whoami()["device"]]
    steal(client, late)
    client.refresh()
    client.refresh()
    late.send("POST", "refresh/")
    client.login(ada.username, ada.password)
    devices.append(client.whoami()["device"])

    secret, token = secret_of(client), client.token or secret_of(client)
    for bad in (secret, token):
        forged = bad[:-4] + "AAAA"
        for headers in (
            {"Authorization": f"Bearer {forged}"},
            {"Authorization": f"Bearer {bad} {bad}"},
            {"Authorization": f"Basic {bad}"},
            {"Cookie": f"{difference('cookie_name', client.flow)}={forged}"},
            {"X-Request-ID": bad, "User-Agent": bad, "Referer": f"http://other/?token={bad}"},
            {"X-CSRFToken": bad, "Origin": f"http://other/?token={bad}"},
            {"Host": bad},
        ):
            for method, path in [("GET", "whoami/"), ("POST", "refresh/"), ("POST", "logout/")]:
                if "Cookie" in headers or method == "GET" or "X-CSRFToken" in headers:
                    client.http.request(method, f"{api}/{path}", headers=headers)
        client.http.get(f"{api}/whoami/?access_token={bad}&password={ada.password}")
        client.http.get(f"{api}/{bad}/")
        client.http.get(f"/{bad}?next=/{bad}")
        client.http.get(f"{api}/devices/%0A{bad}/")
        client.send("PATCH", "me/", {"display_name": [bad]})
        client.send("POST", "login/", {"username": {"a": bad}, "password": ada.password})
        client.http.post(f"{api}/login/", content=f"{bad}{{{ada.password}")
    devices += be_robbed(client, late, ada)
    client.rename("Ada")
    client.end_device(devices[1])

    crash(client, monkeypatch)
    redis_url = "redis://:hunter2hunter2@127.0.0.1:1/0"
    for outage in (lambda: redis_at(redis_url), no_database):
        client.fetch_csrf_token()
        with outage():
            for method, path in [("GET", "me/"), ("POST", "refresh/"), ("POST", "logout-all/")]:
                client.send(method, path)
            client.http.get(f"/{client.flow}/profile/")
    visit_the_pages(client, ada)

    client.login(ada.username, ada.password)
    client.change_password(ada.password, NEW_PASSWORD)
    client.send(
        "POST", "password/", {"current_password": ada.password, "new_password": ada.password}
    )
    client.logout()
    client.login(ada.username, NEW_PASSWORD)
    devices.append(client.whoami()["device"])
    client.logout_all()
    return devices + use_the_mail(client, late, ada)


def use_the_mail(client: FlowClient, late: FlowClient, ada: Person) -> list[str]:
    """Sign up, set a forgotten password, change an address; returns the parts of the links."""
    links = [link_to(client, "signup", "noor@example.org")]
    use(client, links[0])
    links.append(link_to(late, "reset", f"{ada.username}@example.org"))
    use(late, links[1])
    client.refresh()
    bearer = {"Authorization": f"Bearer {client.token}"} if client.token else {}
    form = {"new_email": "noor@example.net", "current_password": NEW_PASSWORD}
    form["csrfmiddlewaretoken"] = client.fetch_csrf_token()
    client.http.post(f"/{client.flow}/profile/", data=form, headers=bearer)
    links.append(newest_link())
    use(client, links[2])
    for link in links:
        client.http.get(link)
    return [part for link in links for part in link.partition("token=")[2].split(".")]


def be_robbed(client: FlowClient, late: FlowClient, ada: Person) -> list[str]:
    """Ada's login is used by another browser, which is noted, and then from another network."""
    client.login(ada.username, ada.password)
    steal(client, late).fetch_csrf_token()
    elsewhere = {"User-Agent": "Chrome/143 (Windows NT)", "X-Forwarded-For": "203.0.113.9"}
    for address in ("127.0.0.1", elsewhere["X-Forwarded-For"]):
        late.send("POST", "refresh/", headers={**elsewhere, "X-Forwarded-For": address})
    devices = [late.whoami()["device"]] if late.token else []
    client.login(ada.username, ada.password)
    return devices


def crash(client: FlowClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception whose text, cause and variables are full of secrets."""
    secret, password = secret_of(client), "ada-demo-password"

    def fail(presented: Any) -> None:
        held = {"password": password, "secret": secret, "token": client.token}
        try:
            held[f"{password} {secret}"]
        except KeyError as error:
            raise ValueError(f"{held} {password} {site_settings.SECRET_KEY}") from error

    with monkeypatch.context() as patch:
        patch.setattr(lifecycle, "current_user", fail)
        assert client.send("GET", "me/").status_code == 500


def visit_the_pages(client: FlowClient, ada: Person) -> None:
    """The forms of the flow's pages, the admin, and forms without their CSRF token."""
    pages = f"/{client.flow}"
    for password in ("not-the-password", ada.password):
        form = {"username": ada.username, "password": password}
        client.http.post(f"{pages}/login/?next=/x?token={password}", data=form)
        form["csrfmiddlewaretoken"] = client.fetch_csrf_token()
        client.http.post(f"{pages}/login/", data=form)
    client.fetch_csrf_token()
    bearer = {"Authorization": f"Bearer {client.token}"} if client.token else {}
    for page in ("profile", "devices"):
        client.http.get(f"{pages}/{page}/", headers=bearer)
    form = {"current_password": "not-the-password", "new_password": NEW_PASSWORD}
    form["csrfmiddlewaretoken"] = client.csrf_token or ""
    client.http.post(f"{pages}/profile/", data=form, headers=bearer)
    for page in ("accounts/user/", "accounts/authevent/", "jwt_api/tokenfamily/", "nothing/"):
        client.http.get(f"/admin/{page}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("shape", ["json", "text"])
def test_no_secret_reaches_the_log(
    guest: FlowClient,
    visit: Callable[[str], FlowClient],
    flow: str,
    ada: Person,
    shape: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R94, R95, R39, R54, A53: who reads the log can log in with nothing that stands there."""
    # Nobody waits, and the admin has somebody to show.
    settings.LOGIN_LIMIT_ACCOUNT = settings.LOGIN_LIMIT_NETWORK = 1000
    settings.TRUSTED_PROXIES = 1
    User.objects.filter(username=ada.username).update(is_staff=True, is_superuser=True)
    secrets = Secrets()
    other, late = visit(flow), visit(flow)
    for client in (guest, other, late):
        secrets.watch(client)
    connection.force_debug_cursor = True  # as DEBUG=1 does: Django then logs each statement
    try:
        with reading(shape, logging.DEBUG) as log:
            devices = live_a_whole_life(guest, other, late, ada, monkeypatch)
    finally:
        connection.force_debug_cursor = False

    told = {kind for kind in EVENTS if re.search(rf"\b{kind}\b", log.text)}
    reused = difference("code_of_a_rotated_secret", flow) == "credential_reused"
    assert told == {*EVENTS} - {"login_throttled"} - ({"reuse"} if not reused else set())
    for expected in ("store_unavailable", "csrf_failed", "Not Found", "in fail"):
        assert expected in log.text

    forbidden = secrets.parts() | OWN_WORDS | set(devices) | {site_settings.SECRET_KEY}
    forbidden |= set(User.objects.values_list("password", flat=True))  # the hashes
    for file in Path(site_settings.JWT_KEYS_DIR).glob("*.pem"):
        forbidden |= {line for line in file.read_text().splitlines() if len(line) > 20}
    assert len(forbidden) > 30
    assert [secret for secret in forbidden if secret in log.text] == []
