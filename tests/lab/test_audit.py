"""Does the audit see what is wrong? Each thing is weakened once, and its point fails."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Container, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from django.contrib import auth
from django.contrib.auth import SESSION_KEY
from django.test import Client
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from jwt_api import keys, tokens
from jwt_api import store as jwt_store
from lab.audit import points, running
from lab.audit import report as reports
from lab.audit.point import AREAS, Result, Seen, Status
from lab.audit.report import Report, audit
from lab.audit.scene import NoAnswer, Person, Scene
from lab.audit.server import scene_at, somebody
from sessions_api import engine, records
from sessions_api import flow as sessions_flow
from sessions_api import store as sessions_store
from tests.accounts.mirroring import eventually

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

ROOT = Path(__file__).resolve().parent.parent.parent
TEN_YEARS = 10 * 365 * 86400
TRANSPORTS = {"sessions-transport", "jwt-transport"}


@pytest.fixture(scope="module", autouse=True)
def _prompt_server() -> None:
    """Have the live server send at once: Nagle's algorithm costs 40 ms an answer here."""
    from django.core.servers.basehttp import WSGIRequestHandler

    WSGIRequestHandler.disable_nagle_algorithm = True


@pytest.fixture
def person() -> Iterator[Person]:
    with somebody() as found:
        yield found


def audited(site: LiveServer, person: Person, keys: Container[str] | None = None) -> Report:
    """By the points of those keys, or by all."""
    with closing(scene_at(site.url, person)) as scene:
        return audit(scene, [point for point in points() if keys is None or point.key in keys])


def failures(report: Report) -> set[str]:
    return {result.key for result in report.failed}


def complaints(report: Report) -> list[str]:
    return [
        f"{result.key}: {seen.holds} {seen.asked} {seen.answer}"
        for result in report.results
        for seen in result.checks
        if seen.status is not Status.PASS
    ]


# --- what is weakened, and the points that fail by it ---------------------------------------


class Weakening:
    """What a weakening works with."""

    def __init__(self, settings: Settings, patch: pytest.MonkeyPatch) -> None:
        self.settings, self.patch = settings, patch

    def set(self, **values: object) -> None:
        for name, value in values.items():
            setattr(self.settings, name, value)

    def tokens(self, **values: object) -> None:
        self.settings.SIMPLE_JWT = {**self.settings.SIMPLE_JWT, **values}


def ids_hardly_differ(it: Weakening) -> None:
    def new_id(user_id: int) -> str:
        return f"{user_id}.{'A' * 35}{secrets.token_urlsafe(6)}"

    it.patch.setattr(engine, "new_session_id", new_id)


def a_login_keeps_the_id(it: Weakening) -> None:
    """As Django does for the same user."""
    real = engine.SessionStore.__setitem__

    def keep(self: engine.SessionStore, key: str, value: Any) -> None:
        known = self.session_key and not self.session_key.startswith("0.")
        if known and key == SESSION_KEY:
            super(engine.SessionStore, self).__setitem__(key, value)
        else:
            real(self, key, value)

    it.patch.setattr(engine.SessionStore, "__setitem__", keep)
    it.patch.setattr(engine.SessionStore, "cycle_key", lambda self: None)


def records_never_end(it: Weakening) -> None:
    it.patch.setattr(records.Record, "idle_seconds", lambda self, now: TEN_YEARS)


def ids_stand_in_redis(it: Weakening) -> None:
    from lab.audit import of_sessions

    for module in (records, sessions_store, of_sessions):
        it.patch.setattr(module, "digest_of", lambda session_id: session_id)


def addresses_stand_in_redis(it: Weakening) -> None:
    def login(request: Any, user: Any) -> None:
        auth.login(request, user)
        request.session["address"] = user.email

    it.patch.setattr(sessions_flow, "login", login)


def a_logout_ends_nothing(it: Weakening) -> None:
    it.patch.setattr(engine.SessionStore, "delete", lambda self, session_key=None: None)


def ids_are_not_rotated(it: Weakening) -> None:
    def rotate(session_id: str) -> tuple[str, records.Record]:
        record = sessions_store.read(session_id)[1]
        assert record is not None
        return session_id, record

    it.patch.setattr(sessions_store, "rotate", rotate)


def nothing_asks_for_csrf(it: Weakening) -> None:
    from accounts.contract import views
    from sessions_api import authentication

    for module in (views, authentication):
        it.patch.setattr(module, "enforce_csrf", lambda request: None)


def answers_are_kept(it: Weakening) -> None:
    from django.utils import cache
    from django.views.decorators import cache as decorators

    for module in (cache, decorators):
        it.patch.setattr(module, "add_never_cache_headers", lambda response: None)


def signatures_are_not_looked_at(it: Weakening) -> None:
    def decode(self: tokens.KeyRingBackend, token: str, *, check_expiry: bool) -> dict[str, Any]:
        if jwt.get_unverified_header(token).get("typ") != self.typ:
            raise jwt.InvalidTokenError("wrong typ")
        checks: Any = {"verify_signature": False, "verify_exp": True, "verify_aud": True}
        return jwt.decode(token, audience=self.audience, leeway=30, options=checks)

    it.patch.setattr(tokens.KeyRingBackend, "_decode", decode)


def the_private_key_is_published(it: Weakening) -> None:
    real = keys.KeyRing.jwks
    it.patch.setattr(
        keys.KeyRing, "jwks", lambda self: {"keys": [{**k, "d": "AA"} for k in real(self)["keys"]]}
    )


def the_leeway_is_long(it: Weakening) -> None:
    it.set(LEEWAY_SECONDS=120)
    it.tokens(LEEWAY=timedelta(seconds=120))


def tokens_stand_in_the_database(it: Weakening) -> None:
    real = jwt_store._write_outstanding

    def write(family: Any, token: Any) -> Any:
        row = real(family, token)
        row.token = str(token)
        row.save()
        return row

    it.patch.setattr(jwt_store, "_write_outstanding", write)
    # ES256 signs anew each time; the text in the cookie shall be the one in the row.
    it.patch.setattr(tokens.RefreshToken, "__str__", cached_text)


def cached_text(self: Any) -> str:
    if not hasattr(self, "text"):
        self.text = self.get_token_backend().encode(self.payload)
    return str(self.text)


def tokens_hold_an_address(it: Weakening) -> None:
    from accounts.models import User

    real = tokens.KeyRingBackend.encode

    def encode(self: tokens.KeyRingBackend, payload: dict[str, Any]) -> str:
        email = User.objects.get(pk=payload["sub"]).email
        return real(self, {**payload, "email": email})

    it.patch.setattr(tokens.KeyRingBackend, "encode", encode)


def refresh_tokens_stay_good(it: Weakening) -> None:
    def rotate(token: Any, use: Any = None) -> Any:
        return jwt_store._family_of(token), token

    it.patch.setattr(jwt_store, "rotate", rotate)


def families_are_not_ended(it: Weakening) -> None:
    it.patch.setattr(jwt_store, "end_family", lambda *args, **options: True)


Weaken = Callable[[Weakening], None]
WEAKENED: dict[str, tuple[Weaken, set[str]]] = {
    "ids hardly differ": (ids_hardly_differ, {"sessions-identifier"}),
    "a login keeps the id": (a_login_keeps_the_id, {"sessions-identifier"}),
    "the key is short": (lambda it: it.set(SECRET_KEY="short"), {"sessions-identifier"}),
    "records never end": (records_never_end, {"sessions-expiry"}),
    "ids stand in Redis": (ids_stand_in_redis, {"sessions-storage"}),
    "scripts read the session id": (
        lambda it: it.set(SESSION_COOKIE_HTTPONLY=False),
        {"sessions-storage"},
    ),
    "the session id goes over HTTP": (
        lambda it: it.set(SESSION_COOKIE_SECURE=False),
        {"sessions-transport"},
    ),
    "the session id comes along from anywhere": (
        lambda it: it.set(SESSION_COOKIE_SAMESITE="None"),
        {"sessions-transport"},
    ),
    "addresses stand in Redis": (addresses_stand_in_redis, {"sessions-payload"}),
    "a logout ends nothing": (a_logout_ends_nothing, {"sessions-revocation"}),
    "ids are not rotated": (ids_are_not_rotated, {"sessions-revocation"}),
    "signatures are not looked at": (signatures_are_not_looked_at, {"jwt-algorithm"}),
    "the private key is published": (the_private_key_is_published, {"jwt-algorithm"}),
    "logins last ten years": (
        lambda it: it.set(ABSOLUTE_SECONDS=TEN_YEARS),
        {"sessions-expiry", "jwt-expiry"},
    ),
    "access tokens last an hour": (
        lambda it: it.tokens(ACCESS_TOKEN_LIFETIME=timedelta(hours=1)),
        {"jwt-expiry", "jwt-revocation"},
    ),
    "the leeway is two minutes": (the_leeway_is_long, {"jwt-expiry"}),
    "tokens stand in the database": (tokens_stand_in_the_database, {"jwt-storage"}),
    "the refresh token goes over HTTP": (
        lambda it: it.set(REFRESH_COOKIE_SECURE=False),
        {"jwt-transport"},
    ),
    "the refresh token comes along by links": (
        lambda it: it.set(REFRESH_COOKIE_SAMESITE="Lax"),
        {"jwt-transport"},
    ),
    "nothing asks for the CSRF token": (nothing_asks_for_csrf, TRANSPORTS),
    "answers are kept by caches": (answers_are_kept, TRANSPORTS),
    "a public site without HTTPS": (
        lambda it: it.set(ALLOWED_HOSTS=["www.example.com", "localhost"]),
        TRANSPORTS,
    ),
    "tokens hold an address": (tokens_hold_an_address, {"jwt-payload"}),
    "refresh tokens stay good": (refresh_tokens_stay_good, {"jwt-revocation"}),
    "families are not ended": (families_are_not_ended, {"jwt-revocation"}),
}


@pytest.fixture(params=WEAKENED)
def fail(
    request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> set[str]:
    """The points that shall fail by a weakening, which is in force."""
    weaken, points_that_fail = WEAKENED[request.param]
    weaken(Weakening(settings, monkeypatch))
    return points_that_fail


@pytest.mark.thorough
def test_what_is_weakened_fails_its_point(
    live_server: LiveServer, person: Person, fail: set[str]
) -> None:
    report = audited(live_server, person, fail)

    assert failures(report) == fail, complaints(report)
    assert all(seen.otherwise and seen.answer for point in report.failed for seen in point.checks)


# One for each point: a whole audit takes seconds.
ONE_EACH = {min(points): name for name, (_, points) in reversed(WEAKENED.items())}.values()


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("fail", ONE_EACH, indirect=True)
def test_what_is_weakened_fails_no_other_point(
    live_server: LiveServer, person: Person, fail: set[str]
) -> None:
    report = audited(live_server, person)

    assert failures(report) == fail, complaints(report)


def test_every_point_is_weakened_by_something() -> None:
    assert {key for _, fail in WEAKENED.values() for key in fail} == {
        point.key for point in points()
    }


def test_as_the_site_comes_all_twelve_points_pass_and_nothing_secret_is_told(
    live_server: LiveServer, person: Person
) -> None:
    with closing(scene_at(live_server.url, person)) as scene:
        report = audit(scene, points())
        held = [cookie.value or "" for c in scene._logins for cookie in c.client.http.cookies.jar]
        held += [login.token for login in scene._logins if login.client.flow == "jwt"]

    assert complaints(report) == []
    assert report.in_short == "12 pass"
    assert len({result.area for result in report.results} - {"algorithm"}) == len(AREAS)
    text = reports.encode(report)
    assert [secret for secret in [*held, person.password] if secret and secret in text] == []
    assert reports.decode(text) == report


@pytest.mark.thorough
@pytest.mark.parametrize("strategy", ["lookup", "push"])
def test_a_denylist_has_to_refuse_what_was_logged_out(
    strategy: str, live_server: LiveServer, person: Person, settings: Settings
) -> None:
    settings.JWT_REVOCATION = strategy

    report = audited(live_server, person)

    assert complaints(report) == []
    last = report.results[-1].checks[-1]
    assert last.answer == "401 credential_revoked"


# --- from outside ---------------------------------------------------------------------------


def outside(site: LiveServer, person: Person | None) -> dict[str, Status]:
    with closing(Scene(site.url, person=person, inside=False)) as scene:
        report = audit(scene, points())
    return {result.key: result.status for result in report.results}


def test_from_outside_nothing_passes_that_was_not_seen_whole(
    live_server: LiveServer, person: Person
) -> None:
    found = outside(live_server, person)

    assert set(found.values()) == {Status.PARTLY}


def test_without_anybody_who_can_log_in_little_is_seen(live_server: LiveServer) -> None:
    found = outside(live_server, None)

    seen = {key for key, status in found.items() if status is Status.PARTLY}
    assert seen == {"jwt-algorithm", *TRANSPORTS}
    assert set(found.values()) == {Status.PARTLY, Status.UNSEEN}


def test_a_wrong_password_is_no_finding(live_server: LiveServer, person: Person) -> None:
    with pytest.raises(NoAnswer, match=r"cannot log in: 401 bad_login"):
        outside(live_server, Person(person.username, "wrong"))


# --- the command ----------------------------------------------------------------------------


def run(folder: Path, *arguments: str, given: str = "", **variables: str) -> Any:
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "ENV_FILE": os.devnull,
        "VAR_DIR": str(folder),
        **variables,
    }
    environment.pop("DATABASE_URL", None)
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment, input=given, capture_output=True, text=True, check=False
    )


@pytest.mark.thorough
@pytest.mark.slow
def test_a_deployment_for_the_public_is_audited_by_a_server_of_its_own(tmp_path: Path) -> None:
    public = {"HTTPS": "1", "ALLOWED_HOSTS": "www.example.com", "LAB": "0"}
    assert run(tmp_path, "migrate", "-v0", **public).returncode == 0

    good = run(tmp_path, "audit", "--json", **public)
    weak = run(tmp_path, "audit", "--flow=sessions", COOKIE_SECURE="0", LAB="1")

    assert good.returncode == 0, good.stdout + good.stderr
    results = json.loads(good.stdout)["results"]
    assert [result["status"] for result in results] == ["pass"] * 12
    assert json.loads((tmp_path / "audit" / "last.json").read_text())["results"] == results
    assert weak.returncode == 1, weak.stdout + weak.stderr
    assert "1 fail" in weak.stdout
    assert "Who listens on the network can log in." in weak.stdout


@pytest.mark.thorough
def test_another_deployment_is_asked_with_a_password_from_standard_input(
    live_server: LiveServer, person: Person, tmp_path: Path
) -> None:
    arguments = ("audit", f"--url={live_server.url}", f"--username={person.username}")

    found = run(tmp_path, *arguments, "--flow=jwt", given=f"{person.password}\n")

    assert found.returncode == 0, found.stdout + found.stderr
    assert "cannot be seen from outside" in found.stdout
    assert person.password not in found.stdout + found.stderr
    assert not (tmp_path / "audit").exists()


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (["--url=http://127.0.0.1:9"], {}, "does not answer"),
        (["--url=www.example.com"], {}, "begins with http"),
        (["--username=ada"], {}, "goes with --url"),
        ([], {"SECRET_KEY": "short"}, "SECRET_KEY, or one of its fallbacks, is short"),
        ([], {"REDIS_URL": "redis://127.0.0.1:9/0"}, "Redis does not answer"),
    ],
)
def test_what_cannot_be_audited_is_refused_in_words(
    arguments: list[str], variables: dict[str, str], said: str, tmp_path: Path
) -> None:
    found = run(tmp_path, "audit", *arguments, **variables)

    assert found.returncode == 2
    assert said in found.stderr
    assert "Traceback" not in found.stderr


# --- the page -------------------------------------------------------------------------------


@pytest.fixture
def folder(lab: None, settings: Settings, tmp_path: Path) -> Path:
    settings.VAR_DIR = tmp_path
    return tmp_path / "audit"


def shown(client: Client) -> str:
    answer = client.get("/lab/audit/")
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    return answer.content.decode()


FAILED = Seen(Status.FAIL, "it holds <b>", "GET /", "200", "everybody is let in")
POINT = Result("jwt-payload", "jwt", "payload", "Is it?", Status.FAIL, (FAILED,))


def test_the_page_shows_the_last_report_and_opens_what_failed(client: Client, folder: Path) -> None:
    assert "Nothing has been audited here yet." in shown(client)

    reports.keep(Report("2026-05-01T12:00:00+00:00", "", (POINT,)))

    page = shown(client)
    assert "1 fail, on" in page
    assert 'id="jwt-payload" open' in page
    assert "it holds &lt;b&gt;" in page
    assert "Otherwise: everybody is let in" in page


@pytest.mark.parametrize("text", ["", "{", "[]", '{"made": 1, "site": "", "results": []}'])
def test_what_is_no_report_is_none(text: str, client: Client, folder: Path) -> None:
    folder.mkdir()
    (folder / "last.json").write_text(text)

    assert "Nothing has been audited here yet." in shown(client)


def test_one_audit_runs_at_a_time(client: Client, folder: Path) -> None:
    with running._lock() or pytest.fail("it is taken"):
        assert "An audit runs." in shown(client)
        assert client.get("/lab/audit/state/").json() == {"is_running": True, "error": ""}
        answer = client.post("/lab/audit/", follow=True)

    assert "An audit runs already" in answer.content.decode()
    assert not (folder / "run.log").exists()
    assert Client(enforce_csrf_checks=True).post("/lab/audit/").status_code == 403


def test_an_audit_that_could_ask_nobody_says_why(client: Client, folder: Path) -> None:
    """The process of a test run has a database of its own, which nobody has migrated."""
    client.post("/lab/audit/")
    eventually(lambda: running.state()["error"])

    page = shown(client)
    assert "The last audit has no report." in page
    assert "manage.py migrate" in page
