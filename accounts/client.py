"""How does a program use the contract? With one client that drives every flow.

The client rule, whole: *send cookies; send the CSRF token on unsafe methods; if
`credential.token` is not null, send it as `Authorization: Bearer`.* Its twin for
browsers is `accounts/static/accounts/flow_client.js`.

    client = FlowClient("http://127.0.0.1:8000", "jwt")
    client.login("ada", "ada-demo-password")
    client.whoami()
"""

from __future__ import annotations

import ssl
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import httpx

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Refused(Exception):
    """The server said no. `status` and `code` are the contract's; `errors` names fields."""

    def __init__(self, response: httpx.Response) -> None:
        body = _json_of(response)
        self.response = response
        self.status = response.status_code
        self.code: str = body.get("code", "")
        self.detail: str = body.get("detail", response.reason_phrase)
        self.errors: dict[str, list[str]] = body.get("errors", {})
        super().__init__(f"{self.status} {self.code}: {self.detail}")


@cache
def authorities() -> ssl.SSLContext:
    """Whom httpx trusts over TLS, for all clients of a process: reading it takes 30 ms each time.

    Even for a client that never uses TLS, and so longer than most of what one asks here.
    """
    return httpx.create_ssl_context()


class FlowClient:
    """A client of one flow, with its own cookie jar; the access token lives in memory only.

    `flow` is the word in the URL, such as `sessions` or `jwt`; nothing else depends on it. `under`
    is the path before it: the lab mounts the same contract elsewhere.
    A `transport` of httpx can take the place of the network (`httpx.WSGITransport`).
    """

    def __init__(
        self,
        base_url: str,
        flow: str,
        *,
        under: str = "/api/",
        transport: httpx.BaseTransport | None = None,
        timeout: float = 10,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.flow, self.under = flow, under
        self.token: str | None = None
        self.csrf_token: str | None = None
        self._is_loopback = urlsplit(base_url).hostname in LOOPBACK
        self.http = httpx.Client(
            base_url=base_url,
            transport=transport,
            verify=authorities(),
            timeout=timeout,
            headers=headers,
            event_hooks={"request": [self._send_secure_cookies_to_loopback]},
        )

    def login(self, username: str, password: str) -> dict[str, Any]:
        """Log in; returns `{"user", "credential"}`."""
        # A login ignores what the client still holds, and ends it here: a token of somebody
        # else must not go on beside the new cookie.
        self.token = None
        answer = self._call("POST", "login/", {"username": username, "password": password})
        self.csrf_token = None  # a login gives the browser a new CSRF secret
        return answer

    def refresh(self) -> dict[str, Any]:
        """Exchange the cookie's secret for a fresh one; returns `{"credential"}`."""
        return self._call("POST", "refresh/", renewing=True)

    def whoami(self) -> dict[str, Any]:
        """`{"id", "roles", "device"}`, from the credential alone."""
        return self._call("GET", "whoami/")

    def me(self) -> dict[str, Any]:
        """The full profile."""
        return self._call("GET", "me/")

    def rename(self, display_name: str) -> dict[str, Any]:
        """Change the display name; returns the profile."""
        return self._call("PATCH", "me/", {"display_name": display_name})

    def devices(self) -> list[dict[str, Any]]:
        """Every login of the user, in all flows."""
        return self._call("GET", "devices/")

    def end_device(self, device: str) -> None:
        """End one of them."""
        self._call("DELETE", f"devices/{device}/")

    def change_password(self, current_password: str, new_password: str) -> dict[str, Any]:
        """Change the password; this client goes on, all others end. Returns `{"credential"}`."""
        return self._call(
            "POST",
            "password/",
            {"current_password": current_password, "new_password": new_password},
        )

    def logout(self) -> None:
        """End this login."""
        self._call("POST", "logout/")
        self.token = None

    def logout_all(self) -> None:
        """End every login of the user, in all flows."""
        self._call("POST", "logout-all/")
        self.token = None

    def send(self, method: str, path: str, json: Any = None, **options: Any) -> httpx.Response:
        """One request by the client rule, without any retry: the answer as it came.

        `path` is relative to the flow. `headers` in `options` are added to the rule's own.
        """
        headers = {"Accept": "application/json"}
        if method not in SAFE_METHODS:
            headers["X-CSRFToken"] = self.csrf_token or self.fetch_csrf_token()
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        headers.update(options.pop("headers", {}))
        if json is not None:
            options["json"] = json
        url = f"{self.under}{self.flow}/{path}"
        response = self.http.request(method, url, headers=headers, **options)
        if response.is_success and "credential" in (body := _json_of(response)):
            self.token = body["credential"]["token"]
        return response

    def fetch_csrf_token(self) -> str:
        """Get a CSRF token for the secret that the cookie jar holds."""
        answer = self.http.get("/api/csrf/", headers={"Accept": "application/json"})
        self.csrf_token = answer.raise_for_status().json()["csrf_token"]
        return self.csrf_token

    def _send_secure_cookies_to_loopback(self, request: httpx.Request) -> None:
        """Do as browsers do: this machine itself needs no HTTPS for Secure cookies.

        All cookies of the contract have the path "/", and this client knows one host.
        """
        if self._is_loopback and "Cookie" not in request.headers:
            cookies = [f"{cookie.name}={cookie.value}" for cookie in self.http.cookies.jar]
            if cookies:
                request.headers["Cookie"] = "; ".join(cookies)

    def _call(self, method: str, path: str, json: Any = None, *, renewing: bool = False) -> Any:
        response = self.send(method, path, json)
        if _json_of(response).get("code") == "csrf_failed":
            self.fetch_csrf_token()
            response = self.send(method, path, json)
        if _json_of(response).get("code") == "credential_expired" and not renewing:
            self.refresh()
            response = self.send(method, path, json)
        if not response.is_success:
            raise Refused(response)
        return response.json() if response.content else None


def _json_of(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
