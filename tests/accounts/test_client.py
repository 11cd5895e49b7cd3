"""Does `FlowClient` do what its one rule says, and no more? Against a server made of functions."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from accounts.client import FlowClient, Refused

Answer = Callable[[httpx.Request], httpx.Response]


class Server:
    """Answers by a script, call by call, and remembers what was asked."""

    def __init__(self) -> None:
        self.script: list[httpx.Response | Answer] = []
        self.asked: list[httpx.Request] = []
        self.csrf_tokens = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/csrf/":
            self.csrf_tokens += 1
            return httpx.Response(200, json={"csrf_token": f"csrf-{self.csrf_tokens}"})
        self.asked.append(request)
        step = self.script.pop(0)
        return step(request) if callable(step) else step

    @property
    def calls(self) -> list[str]:
        return [f"{request.method} {request.url.path}" for request in self.asked]


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def client(server: Server) -> FlowClient:
    return FlowClient("http://127.0.0.1", "jwt", transport=httpx.MockTransport(server))


def credential(token: str | None = "token-1", **headers: str) -> httpx.Response:
    body = {"credential": {"scheme": "Bearer", "token": token, "expires_in": 900}}
    return httpx.Response(200, json=body, headers=headers)


def refusal(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"detail": "No.", "code": code})


def test_unsafe_calls_carry_the_csrf_token_and_safe_ones_do_not(
    client: FlowClient, server: Server
) -> None:
    server.script = [credential(None), httpx.Response(200, json={})]
    client.login("ada", "secret")
    client.whoami()
    assert [request.headers.get("X-CSRFToken") for request in server.asked] == ["csrf-1", None]


def test_csrf_token_is_fetched_once_and_anew_after_a_login(
    client: FlowClient, server: Server
) -> None:
    """A login gives the browser a new CSRF secret, so that the old token is worth nothing."""
    server.script = [credential(None)] * 4
    client.refresh()
    client.refresh()
    client.login("ada", "secret")
    client.refresh()
    sent = [request.headers["X-CSRFToken"] for request in server.asked]
    assert sent == ["csrf-1", "csrf-1", "csrf-1", "csrf-2"]


def test_refused_csrf_token_is_replaced_and_tried_once_more(
    client: FlowClient, server: Server
) -> None:
    server.script = [refusal(403, "csrf_failed"), credential()]
    client.refresh()
    assert [request.headers["X-CSRFToken"] for request in server.asked] == ["csrf-1", "csrf-2"]


def test_csrf_token_refused_twice_is_a_refusal(client: FlowClient, server: Server) -> None:
    server.script = [refusal(403, "csrf_failed")] * 2
    with pytest.raises(Refused) as refused:
        client.refresh()
    assert (refused.value.status, refused.value.code) == (403, "csrf_failed")
    assert len(server.asked) == 2


def test_token_is_sent_as_bearer_and_absent_where_there_is_none(
    client: FlowClient, server: Server
) -> None:
    server.script = [credential("token-1"), httpx.Response(200, json={}), credential(None)]
    server.script += [httpx.Response(200, json={})]
    client.login("ada", "secret")
    client.me()
    client.refresh()
    client.me()
    sent = [request.headers.get("Authorization") for request in server.asked]
    assert sent == [None, "Bearer token-1", "Bearer token-1", None]


def test_expired_token_is_refreshed_once_and_the_call_repeated(
    client: FlowClient, server: Server
) -> None:
    client.token = "old"
    server.script = [refusal(401, "credential_expired"), credential("new")]
    server.script += [httpx.Response(200, json={"id": 1})]
    assert client.whoami() == {"id": 1}
    assert server.calls == [
        "GET /api/jwt/whoami/",
        "POST /api/jwt/refresh/",
        "GET /api/jwt/whoami/",
    ]
    assert server.asked[-1].headers["Authorization"] == "Bearer new"


def test_token_that_is_expired_after_a_refresh_too_is_a_refusal(
    client: FlowClient, server: Server
) -> None:
    server.script = [refusal(401, "credential_expired"), credential()]
    server.script += [refusal(401, "credential_expired")]
    with pytest.raises(Refused):
        client.whoami()
    assert len(server.asked) == 3


def test_expired_refresh_is_not_refreshed(client: FlowClient, server: Server) -> None:
    """It would go round for ever."""
    server.script = [refusal(401, "credential_expired")]
    with pytest.raises(Refused) as refused:
        client.refresh()
    assert refused.value.code == "credential_expired"
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "code", ["credential_revoked", "credential_invalid", "credential_reused", "not_authenticated"]
)
def test_other_refusals_are_not_retried(client: FlowClient, server: Server, code: str) -> None:
    server.script = [refusal(401, code)]
    with pytest.raises(Refused) as refused:
        client.whoami()
    assert refused.value.code == code
    assert len(server.asked) == 1


def test_login_forgets_the_token_of_who_was_here_before(client: FlowClient, server: Server) -> None:
    client.token = "of mallory"
    server.script = [refusal(401, "bad_login")]
    with pytest.raises(Refused):
        client.login("ada", "wrong")
    assert client.token is None
    assert "Authorization" not in server.asked[0].headers


@pytest.mark.parametrize("ending", ["logout", "logout_all"])
def test_logout_drops_the_token(client: FlowClient, server: Server, ending: str) -> None:
    client.token = "token"
    server.script = [httpx.Response(204)]
    getattr(client, ending)()
    assert client.token is None


def test_logout_that_was_not_confirmed_keeps_the_token(client: FlowClient, server: Server) -> None:
    client.token = "token"
    server.script = [refusal(503, "store_unavailable")]
    with pytest.raises(Refused):
        client.logout()
    assert client.token == "token"


def test_validation_names_the_fields(client: FlowClient, server: Server) -> None:
    body = {"detail": "No.", "code": "invalid", "errors": {"new_password": ["Too short."]}}
    server.script = [httpx.Response(400, json=body)]
    with pytest.raises(Refused) as refused:
        client.change_password("old", "new")
    assert refused.value.errors == {"new_password": ["Too short."]}
    assert str(refused.value) == "400 invalid: No."


@pytest.mark.parametrize("text", ["<html>", "", "[]", "null"])
def test_answer_that_is_not_of_the_contract_is_a_refusal_all_the_same(
    client: FlowClient, server: Server, text: str
) -> None:
    server.script = [httpx.Response(502, text=text)]
    with pytest.raises(Refused) as refused:
        client.whoami()
    assert (refused.value.status, refused.value.code) == (502, "")


SECURE = "__Host-refresh=secret; Secure; HttpOnly; Path=/; SameSite=Strict"


@pytest.mark.parametrize(
    ("site", "sent"),
    [
        ("http://127.0.0.1", True),
        ("http://localhost:8000", True),
        ("http://[::1]:8000", True),
        ("https://www.example.com", True),
        ("http://www.example.com", False),
    ],
)
def test_secure_cookies_go_to_this_machine_or_over_https_only(
    server: Server, site: str, sent: bool
) -> None:
    """A67: as browsers do it."""
    client = FlowClient(site, "jwt", transport=httpx.MockTransport(server))
    server.script = [credential(None, **{"Set-Cookie": SECURE}), httpx.Response(200, json={})]
    client.login("ada", "secret")
    client.whoami()
    assert ("__Host-refresh=secret" in server.asked[-1].headers.get("Cookie", "")) is sent


def test_paths_of_each_call(client: FlowClient, server: Server) -> None:
    calls: dict[str, Callable[[], Any]] = {
        "POST /api/jwt/login/": lambda: client.login("ada", "secret"),
        "POST /api/jwt/refresh/": client.refresh,
        "GET /api/jwt/whoami/": client.whoami,
        "GET /api/jwt/me/": client.me,
        "PATCH /api/jwt/me/": lambda: client.rename("Ada"),
        "GET /api/jwt/devices/": client.devices,
        "DELETE /api/jwt/devices/abc/": lambda: client.end_device("abc"),
        "POST /api/jwt/password/": lambda: client.change_password("old", "new"),
        "POST /api/jwt/logout/": client.logout,
        "POST /api/jwt/logout-all/": client.logout_all,
    }
    server.script = [httpx.Response(200, json={})] * len(calls)
    for call in calls.values():
        call()
    assert server.calls == list(calls)
