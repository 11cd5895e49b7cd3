"""Do the pages of both flows do the same things, and refuse the same things, without a browser?"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from accounts import pages
from accounts.contract.errors import StoreUnavailable
from accounts.contract.flow import Device
from accounts.contract.registry import flows
from accounts.models import AuthEvent, User

PASSWORD = "a-long-enough-password"
PAGES = ("login", "profile", "devices", "logout")


@pytest.fixture(params=[flow.key for flow in flows()])
def key(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", password=PASSWORD, display_name="Ada")


@pytest.fixture
def visitor() -> Client:
    """A browser that keeps cookies and is CSRF-checked like every other, on HTTPS or loopback."""
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def post(visitor: Client) -> Callable:
    """Fetch a page's form and send it, CSRF token and all."""

    def post(path: str, **fields: str) -> object:
        form = visitor.get(path)
        token = form.context["csrf_token"]
        return visitor.post(path, {"csrfmiddlewaretoken": str(token), **fields})

    return post


def test_each_page_has_its_twin() -> None:
    names = {
        flow.key: sorted(
            path.name for path in Path(settings.BASE_DIR, "templates", f"{flow.key}_api").iterdir()
        )
        for flow in flows()
    }
    assert set(map(tuple, names.values())) == {tuple(sorted(f"{page}.html" for page in PAGES))}


def test_login_leads_to_the_profile(ada: User, post: Callable, key: str) -> None:
    answer = post(f"/{key}/login/", username="ada", password=PASSWORD)
    assert (answer.status_code, answer["Location"]) == (302, f"/{key}/profile/")
    assert AuthEvent.objects.filter(kind=AuthEvent.Kind.LOGIN, flow=key, user=ada).count() == 1


@pytest.mark.parametrize(
    ("asked", "followed"),
    [
        ("/jwt/devices/?a=b", True),
        ("https://evil.example/", False),
        ("//evil.example/", False),
        ("/\\evil.example", False),
        ("\\\\evil.example", False),
        ("https:evil.example", False),
        ("https:///evil.example", False),
        ("//evil.example\\@testserver/", False),
        ("http://testserver@evil.example/", False),
        ("http://testserver.evil.example/", False),
        ("/\t/evil.example", False),
        ("\x01//evil.example", False),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("x", False),
        ("home", False),
        ("?a=b", False),
        ("#top", False),
        ("", False),
    ],
)
def test_next_stays_on_this_host(  # R88, A66
    ada: User, post: Callable, key: str, asked: str, followed: bool
) -> None:
    answer = post(f"/{key}/login/", username="ada", password=PASSWORD, next=asked)
    assert answer["Location"] == (asked if followed else f"/{key}/profile/")


def test_a_wrong_password_is_said_without_saying_which(ada: User, post: Callable, key: str) -> None:
    for name in ("ada", "nobody"):
        answer = post(f"/{key}/login/", username=name, password="wrong")
        assert "The username or the password is not right." in answer.content.decode()
        assert "Set-Cookie" not in answer or "refresh" not in answer.cookies


def test_too_many_attempts_say_how_long_to_wait(
    ada: User, post: Callable, key: str, settings
) -> None:
    settings.LOGIN_LIMIT_ACCOUNT = 2
    for _ in range(2):
        post(f"/{key}/login/", username="ada", password="wrong")
    answer = post(f"/{key}/login/", username="ada", password=PASSWORD)
    assert answer.status_code == 429
    assert f"Try again in {answer['Retry-After']} seconds." in answer.content.decode()


@pytest.mark.django_db
def test_a_form_without_its_token_is_refused(visitor: Client, key: str) -> None:
    answer = visitor.post(f"/{key}/login/", {"username": "ada", "password": PASSWORD})
    assert answer.status_code == 403
    assert "This form could not be trusted" in answer.content.decode()


@pytest.mark.parametrize("page", ["profile", "devices"])
def test_a_stranger_sees_nothing_personal(ada: User, visitor: Client, key: str, page: str) -> None:
    answer = visitor.get(f"/{key}/{page}/", follow=True)
    assert f"/{key}/login/?next=/{key}/{page}/" in (
        answer.content.decode() + str(answer.redirect_chain)
    )
    assert re.search(r"\bada\b(?!-demo-password)", answer.content.decode()) is None


def test_a_session_cookie_opens_no_page_of_the_other_flow(
    ada: User, visitor: Client, post: Callable
) -> None:
    post("/sessions/login/", username="ada", password=PASSWORD)
    assert "Ada" in visitor.get("/sessions/profile/").content.decode()
    assert "Ada" not in visitor.get("/jwt/profile/").content.decode()


def test_a_bearer_token_opens_no_page_of_the_other_flow(ada: User, visitor: Client) -> None:
    token = visitor.get("/api/csrf/").json()["csrf_token"]
    answer = visitor.post(
        "/api/jwt/login/",
        {"username": "ada", "password": PASSWORD},
        content_type="application/json",
        headers={"X-CSRFToken": token},
    )
    bearer = {"Authorization": f"Bearer {answer.json()['credential']['token']}"}
    assert "Ada" in visitor.get("/jwt/profile/", headers=bearer).content.decode()
    assert visitor.get("/sessions/profile/", headers=bearer).status_code == 302


def test_logging_out_by_link_is_not_possible(ada: User, visitor: Client, post: Callable) -> None:
    post("/sessions/login/", username="ada", password=PASSWORD)
    visitor.get("/sessions/logout/")
    assert visitor.get("/sessions/profile/").status_code == 200


def test_personal_pages_are_never_cached(  # R84
    ada: User, visitor: Client, post: Callable
) -> None:
    post("/sessions/login/", username="ada", password=PASSWORD)
    for path in ("/sessions/profile/", "/sessions/devices/", "/jwt/profile/", "/jwt/devices/"):
        answer = visitor.get(path)
        assert "no-store" in answer["Cache-Control"]
        assert {"Cookie", "Authorization"} <= set(answer["Vary"].split(", "))


def test_a_store_that_is_away_is_a_503_that_keeps_the_cookies(
    ada: User, post: Callable, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: object, **kwargs: object) -> None:
        raise StoreUnavailable("pulled the plug")

    monkeypatch.setattr("accounts.backends.claim_attempt", away)
    answer = post(f"/{key}/login/", username="ada", password=PASSWORD)
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert "make run" in answer.content.decode()
    assert not any(cookie["max-age"] == 0 for cookie in answer.cookies.values())


@pytest.mark.parametrize("name", ["400", "403_csrf", "404", "429", "500", "503"])
def test_error_pages_need_no_store(name: str, django_db_blocker) -> None:
    with django_db_blocker.block():
        page = render_to_string(f"errors/{name}.html", {"wait": 7}, RequestFactory().get("/"))
    assert "<h1>" in page


@pytest.mark.django_db
def test_an_unknown_address_is_json_for_the_api_and_a_page_for_people(visitor: Client) -> None:
    assert visitor.get("/api/nothing/").json() == {
        "detail": "There is nothing here.",
        "code": "not_found",
    }
    assert "<h1>There is nothing here</h1>" in visitor.get("/nothing/").content.decode()


def test_a_crash_is_json_for_the_api_and_a_page_for_people(rf: RequestFactory) -> None:
    answer = pages.server_error(rf.get("/api/jwt/me/"))
    assert json.loads(answer.content)["code"] == "server_error"
    assert b"<h1>Something went wrong on our side</h1>" in pages.server_error(rf.get("/")).content


def test_csrf_failures_of_the_api_are_json(rf: RequestFactory) -> None:
    answer = pages.csrf_failure(rf.post("/api/jwt/login/"))
    assert (answer.status_code, json.loads(answer.content)["code"]) == (403, "csrf_failed")


@pytest.mark.parametrize(
    ("seconds", "sentence"),
    [
        (0, "at once"),
        (1, "within 1 minute"),
        (900, "within 15 minutes"),
        (930, "within 16 minutes"),
        (7200, "within 120 minutes"),
        (7201, "within 3 hours"),
        (86431, "within 25 hours"),
        (2592031, "within 31 days"),
    ],
)
def test_the_end_of_a_device_is_never_promised_too_early(seconds: int, sentence: str) -> None:
    moment = datetime.now(UTC)
    device = Device("id", "jwt", moment, moment, moment, "127.0.0.1", "curl", seconds)
    assert pages.DeviceRow(device, flows()[0], current=False).takes_effect == sentence


@pytest.mark.django_db
def test_demo_passwords_are_offered_in_the_lab_only(visitor: Client, key: str, settings) -> None:
    for lab in (False, True):
        settings.LAB = lab
        shown = "ada-demo-password" in visitor.get(f"/{key}/login/").content.decode()
        assert shown is lab


@pytest.mark.django_db
def test_no_page_carries_inline_script_or_style(visitor: Client, key: str) -> None:
    pages = [f"/{key}/{page}/" for page in ("login", "logout", "signup", "reset", "signup/link")]
    for path in ("/", *pages, f"/api/{key}/me/", "/jwt/profile/"):
        page = visitor.get(path, headers={"Accept": "text/html"}).content.decode()
        assert "<style" not in page
        assert " style=" not in page
        assert " on" + "click=" not in page
        assert "<script>" not in page


def test_a_file_is_written_nowhere(tmp_path: Path, settings) -> None:
    """Threat: anybody fills the disk by a form's file, which the CSRF check reads."""
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    file = SimpleUploadedFile("x", b"x" * 3_000_000)
    request = RequestFactory().post("/sessions/login/", {"username": "ada", "file": file})
    assert request.POST.dict() == {"username": "ada"}
    assert (request.FILES, list(tmp_path.iterdir())) == ({}, [])
