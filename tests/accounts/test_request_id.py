"""Which line belongs to which request? Each has an id, that nobody outside may choose."""

import logging
import re
from collections.abc import Iterator

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts.middleware import RequestIdMiddleware
from tests.log_reader import Log, reading

GIVEN = "01JD-the-proxys-own-id"
TOKEN_SHAPED = ("eyJhbGciOi.eyJzdWIi.c2ln", "7.OTKfbhRdsWK_kQHjheQ9ipYMkQyed35yBF9uHqQopZA")
REFUSED = {
    "empty": "",
    "short": "a",
    "long": "a" * 65,
    "line break": "abcdefgh\nlogin",
    "space": "abcdefgh ijk",
    "not ASCII": "abcdefgh\u00e9",
    "token": TOKEN_SHAPED[0],
    "session id": TOKEN_SHAPED[1],
}


@pytest.fixture
def log() -> Iterator[Log]:
    with reading() as log:
        yield log


def ask(given: str | None = None) -> HttpResponse:
    """One request whose view logs by Python's own logging."""

    def view(request: HttpRequest) -> HttpResponse:
        logging.getLogger("somebody.else").info("seen")
        return HttpResponse()

    request = RequestFactory().get("/")
    if given is not None:
        request.META["HTTP_X_REQUEST_ID"] = given
    answer = RequestIdMiddleware(view)(request)
    assert isinstance(answer, HttpResponse)
    return answer


def test_each_request_has_an_id_of_its_own(log: Log) -> None:
    ids = [ask().headers["X-Request-ID"] for _ in range(2)]
    assert len(set(ids)) == 2
    assert [line["request_id"] for line in log.lines("seen")] == ids
    assert all(re.fullmatch(r"[0-9a-f]{32}", each) for each in ids)


def test_what_is_logged_between_requests_has_none(log: Log) -> None:
    ask()
    logging.getLogger("somebody.else").info("between")
    assert "request_id" not in log.only("between")


def test_a_clients_own_id_is_ignored(log: Log) -> None:
    """Threat: under another one's id an attacker's lines are taken for the other one's."""
    assert ask(GIVEN).headers["X-Request-ID"] != GIVEN
    assert GIVEN not in log.text


def test_a_trusted_proxys_id_is_taken(log: Log, settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    assert ask(GIVEN).headers["X-Request-ID"] == GIVEN
    assert log.only("seen")["request_id"] == GIVEN


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_id_is_ignored_behind_a_proxy_too(
    name: str, log: Log, settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = 1
    answer = ask(REFUSED[name])
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])
    assert log.only("seen")["request_id"] == answer.headers["X-Request-ID"]


@pytest.mark.parametrize("path", ["/healthz", "/nothing", "/sessions/login/", "/api/jwt/me/"])
def test_every_answer_names_its_request(path: str, client: Client) -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", client.get(path).headers["X-Request-ID"])
