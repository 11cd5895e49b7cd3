"""What is left of a line that somebody else writes? Its words, and nothing that opens a door."""

import json
import logging
from collections.abc import Iterator

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import RequestFactory
from django.utils.log import log_response
from pytest_django import Settings

from accounts.log_format import hide_secrets
from accounts.security_log import hashed_device, note
from tests.log_reader import Log, reading

pytestmark = pytest.mark.once

TOKEN = f"{'eyJhbGciOi' * 4}.{'eyJzdWIiOi' * 9}.{'c2lnbmF0dXJl' * 7}"
SESSION = "7.OTKfbhRdsWK_kQHjheQ9ipYMkQyed35yBF9uHqQopZA"
CSRF = "gXv0cB8jzT2mYqkWnRp4LsD6uHfE9aJo"


@pytest.fixture
def log() -> Iterator[Log]:
    with reading() as log:
        yield log


HIDDEN = {
    "query string": ("GET /x?access_token=short HTTP/1.1", "GET /x?… HTTP/1.1"),
    "query string of another site": ("Referer http://a/?t=b", "Referer http://a/?…"),
    "login in a URL": ("postgres://ada:p?ss/w@db/name", "postgres://…@db/name"),
    "session id": (f"no record {SESSION}", "no record 7.…"),
    "csrf token": (f"wrong {CSRF}", "wrong …"),
    "line break": ("a\n2026-01-01 [info] login", "a�2026-01-01 [info] login"),
    "terminal's escape": ("\x1b[2Jgone", "�[2Jgone"),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_may_be_a_secret_is_taken_out(name: str) -> None:  # R94
    text, left = HIDDEN[name]
    assert hide_secrets(text) == left


def test_no_part_of_a_token_is_left() -> None:  # R94
    left = hide_secrets(f"Bearer {TOKEN}")
    assert not [part for part in TOKEN.split(".") if len(part) > 20 and part in left]


KEPT = (
    "Worker (pid:12) exited with code 1.",
    "in test_the_life_of_a_login_is_written_down_somewhere",
    "/srv/site-packages/django/contrib/auth/middleware.py",
    "What now?",
)


@pytest.mark.parametrize("text", KEPT)
def test_plain_words_are_left_alone(text: str) -> None:
    assert hide_secrets(text) == text


@pytest.mark.parametrize("shape", ["json", "text"])
def test_a_traceback_tells_types_and_places_only(shape: str) -> None:
    """R94: an exception's text quotes what it choked on, and so does each of its causes."""
    password = "ada-demo-password"

    def look_up(held: dict[str, str]) -> str:
        return held[password]

    with reading(shape) as log:
        try:
            try:
                look_up({"secret": CSRF})
            except KeyError as error:
                raise RuntimeError(f"{password} is not there") from error
        except RuntimeError:
            logging.getLogger("somebody.else").exception("it broke")
    for expected in ("it broke", "builtins.KeyError", "builtins.RuntimeError", "in look_up"):
        assert expected in log.text
    assert password not in log.text
    assert CSRF not in log.text


def test_a_configuration_that_is_refused_is_told_in_full(log: Log) -> None:
    """It is written for the operator, who has nothing else to go by."""
    try:
        raise ImproperlyConfigured("SECRET_KEY has fewer than 50 characters.")
    except ImproperlyConfigured:
        logging.getLogger("gunicorn.error").exception("Exception in worker process")
    assert (
        "SECRET_KEY has fewer than 50 characters."
        in log.only("Exception in worker process")["exception"]
    )


def test_a_template_that_fails_quotes_no_context(log: Log) -> None:
    """Surprise: at DEBUG Django logs a failed look-up with all that the template was given.

    `LOGGING` keeps Django above DEBUG; somebody may want to see these lines all the same.
    """
    page = Template("{% if user.nothing.at.all == 1 %}{% endif %}{{ user.nothing }}")
    templates = logging.getLogger("django.template")
    templates.setLevel(logging.DEBUG)
    try:
        page.render(Context({"user": {"csrf_token": CSRF, "password": "ada-demo-password"}}))
    finally:
        templates.setLevel(logging.NOTSET)
    assert "VariableDoesNotExist" in log.text
    assert CSRF not in log.text
    assert "ada-demo-password" not in log.text


def test_djangos_line_of_a_request_has_its_path_without_a_query(log: Log) -> None:
    request: HttpRequest = RequestFactory().get("/nothing/", {"access_token": "short-one"})
    request.request_id = "the-id"  # type: ignore[attr-defined]
    answer = HttpResponse(status=404)
    log_response("%s: %s", "Not Found", request.path, response=answer, request=request)
    line = log.only("Not Found")
    assert (line["path"], line["status"], line["request_id"]) == ("/nothing/", 404, "the-id")
    assert "short-one" not in log.text


def test_a_refusal_that_was_told_is_not_told_twice_and_a_crash_after_it_is(log: Log) -> None:
    request: HttpRequest = RequestFactory().get("/")
    request.told_status = 503  # type: ignore[attr-defined]
    for status, words in ((503, "Service Unavailable"), (500, "Internal Server Error")):
        answer = HttpResponse(status=status)
        log_response("%s: %s", words, request.path, response=answer, request=request)
    assert [line["event"] for line in log.lines()] == ["Internal Server Error"]


def test_a_path_cannot_forge_a_line() -> None:
    """Threat: `GET /x%0A… login …` would look like one more line."""
    with reading("text") as log:
        logging.getLogger("django.request").warning("Not Found: /x\n2026-01-01 [info] login")
        note("signing_key_appeared", kid="a\n2026-01-01 [info] login")
    assert len(log.text.splitlines()) == 2


def test_every_line_of_json_is_one_line(log: Log) -> None:
    logging.getLogger("somebody.else").warning("one\ntwo\u2028three")
    assert len(log.text.splitlines()) == 1
    assert json.loads(log.text)["level"] == "warning"


def test_a_devices_digest_depends_on_the_secret_key(settings: Settings) -> None:
    """Else whoever has a device id finds its lines in every log of the world."""
    before = hashed_device("AAAAAAAAAAA")
    settings.SECRET_KEY = "another key, of fifty characters or more, as it must"
    assert hashed_device("AAAAAAAAAAA") != before
    assert len(before) == 16
    assert hashed_device("") == ""
