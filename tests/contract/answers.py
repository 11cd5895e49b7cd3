"""What does the contract answer? The README's shapes, and one form for every refusal."""

import copy
from http.cookies import Morsel, SimpleCookie
from typing import Any

import httpx

from accounts.client import FlowClient
from accounts.contract.registry import flows
from lab.differences import difference
from lab.strategies import STRATEGIES
from tests.contract.addresses import INTROSPECTION

PROFILE = {"id", "username", "display_name", "email", "roles", "date_joined", "last_login"}
CREDENTIAL = {"scheme", "token", "expires_in"}
DEVICE = {
    "id",
    "flow",
    "created",
    "last_seen",
    "expires",
    "ip",
    "user_agent",
    "current",
    "ends_within",
    "name",
    "scope",
}
KNOWN_DEVICE = "__Host-known-device"
CODES = {
    "bad_login",
    "not_authenticated",
    "credential_invalid",
    "credential_expired",
    "credential_revoked",
    "credential_reused",
    "csrf_failed",
    "permission_denied",
    "not_found",
    "invalid",
    "throttled",
    "store_unavailable",
}


def assert_refused(
    response: httpx.Response, status: int, code: str, *, fields: set[str] | None = None
) -> None:
    """The one error form of the contract; `fields` are those that a validation complains of."""
    assert response.headers["content-type"] == "application/json", response.text[:200]
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code), body
    assert code in CODES
    assert body.keys() == {"detail", "code"} | ({"errors"} if fields else set())
    assert set(body.get("errors", {})) == (fields or set())
    assert body["detail"].endswith("."), "one calm sentence"
    assert "no-store" in response.headers["cache-control"]
    assert ("www-authenticate" in response.headers) == (status == 401)
    assert ("retry-after" in response.headers) == (status in (429, 503))
    assert int(response.headers.get("retry-after", 1)) >= 1
    if status == 401:
        assert_challenge(response, code)


def assert_challenge(response: httpx.Response, code: str) -> None:
    """R92; RFC 6750, section 3: a request without a credential is told the scheme and no error."""
    challenge = response.headers["www-authenticate"]
    scheme = flow_at(response.request.url.path).scheme
    assert challenge.startswith(f"{scheme} realm=")
    assert ('error="invalid_token"' in challenge) == code.startswith("credential_")


def flow_of(key: str) -> Any:
    """The flow of that key, or of that strategy."""
    return next(flow for flow in known_flows() if flow.key == key)


def flow_at(path: str) -> Any:
    """The flow, or strategy, that is mounted there."""
    return next(flow for flow in known_flows() if flow.key in path.split("/"))


def known_flows() -> list[Any]:
    return [*flows(), *(row.flow for row in STRATEGIES)]


def assert_credential(credential: dict[str, Any], flow: str) -> None:
    assert credential.keys() == CREDENTIAL
    assert credential["scheme"] == flow_of(flow).scheme
    assert isinstance(credential["token"], str) == difference("token_in_the_body", flow)
    assert type(credential["expires_in"]) is int
    assert credential["expires_in"] > 0


def assert_logged_in(client: FlowClient) -> None:
    assert client.send("GET", "whoami/").status_code == 200


def assert_ended(copy_of_client: FlowClient) -> None:
    """Revoked: the next request is refused as soon as the flow promises, and nothing renews it."""
    answer = copy_of_client.send("GET", "whoami/")
    assert answer.status_code == difference("whoami_after_logout", copy_of_client.flow)
    renewed = copy_of_client.send("POST", "refresh/")
    assert_refused(renewed, 401, "credential_revoked")
    assert secret_of(copy_of_client), "a refusal is not a logout: the cookie is not touched"


def secret_of(client: FlowClient) -> str:
    """The text that the browser holds in the flow's HttpOnly cookie."""
    return cookie_of(client, str(difference("cookie_name", client.flow)))


def token_of(client: FlowClient) -> str | None:
    """The access token, wherever the client holds it; None in a flow that has none."""
    cookie = difference("token_cookie_name", client.flow)
    return cookie_of(client, cookie) if cookie else client.token


def cookie_of(client: FlowClient, name: str) -> str:
    return next(cookie.value or "" for cookie in client.http.cookies.jar if cookie.name == name)


def steal(client: FlowClient, into: FlowClient) -> FlowClient:
    """Copy all that a browser holds into another one, which never lets it expire."""
    for cookie in client.http.cookies.jar:
        stolen = copy.copy(cookie)
        stolen.expires, stolen.discard = None, True
        into.http.cookies.jar.set_cookie(stolen)
    into.token = client.token
    return into


def holding(client: FlowClient, *, secret: str, token: str | None) -> FlowClient:
    """Give a browser another text for the flow's secret, and another access token beside it."""
    client.fetch_csrf_token()
    held = {cookie.name: cookie.value or "" for cookie in client.http.cookies.jar}
    held[str(difference("cookie_name", client.flow))] = secret
    token_cookie = difference("token_cookie_name", client.flow)
    if token_cookie and token is not None:
        held[token_cookie], token = token, None
    # From here on these headers are sent as they stand, instead of what the jar holds.
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in held.items())}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}".strip()
    client.http.headers = httpx.Headers(headers, encoding="utf-8")
    client.token = None
    return client


def set_cookies(response: httpx.Response) -> dict[str, Morsel[str]]:
    """The cookies that a response sets or deletes, with their attributes."""
    found: dict[str, Morsel[str]] = {}
    for header in response.headers.get_list("set-cookie"):
        found.update(SimpleCookie(header))
    return found


CALM_SECONDS = 1


def assert_calm(response: httpx.Response) -> None:
    """Never a 5xx; a refusal of the API in its form; no cookie lost, no other site let in; soon."""
    path = response.request.url.path
    said = f"{response.request.method} {path}: {response.status_code} {response.text[:200]}"
    assert response.status_code < 500, said
    if response.status_code >= 400 and path.startswith("/api/"):
        assert response.headers["content-type"] == "application/json", said
        found, forms = response.json().keys(), [{"detail", "code"}, {"detail", "code", "errors"}]
        assert found in forms or (path == INTROSPECTION and found == {"error"}), said
        assert "no-store" in response.headers["cache-control"], said
    assert not [name for name in response.headers if name.startswith("access-control-")], said
    assert "Traceback" not in response.text, said
    for cookie in response.headers.get_list("set-cookie"):
        assert "Max-Age=0" not in cookie or cookie.strip().startswith("messages="), said
    # The bound is what is promised. A deployment's processor is not seen from here.
    assert response.extensions.get("processor_seconds", 0) < CALM_SECONDS, said


def latin1(headers: dict[str, str]) -> httpx.Headers:
    """Headers as bytes: what httpx would refuse to send, others send."""
    return httpx.Headers(
        [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    )
