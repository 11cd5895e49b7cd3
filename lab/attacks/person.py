"""Who takes part in an attack? A client of one strategy, whose every request is written down."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import httpx

from accounts.client import FlowClient, authorities
from lab.staging.processes import StageError

# The same for everybody: a thief who copies a cookie copies the name of the browser as well.
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

Record = Callable[[str, str, httpx.Request, httpx.Response | None], None]


class Recording(httpx.BaseTransport):
    """The network, and a word to `told` of each request, with its answer or without one."""

    def __init__(self, told: Callable[[httpx.Request, httpx.Response | None], None]) -> None:
        self.told = told
        self.network = httpx.HTTPTransport(verify=authorities())

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        try:
            response = self.network.handle_request(request)
            response.read()
        except httpx.TransportError:
            self.told(request, None)
            raise
        self.told(request, response)
        return response

    def close(self) -> None:
        self.network.close()


def must(answer: httpx.Response) -> httpx.Response:
    """The answer, if it is a good one. Raises `StageError`: what a story takes for granted failed.

    A password that was not changed must not pass for one whose change ended nothing.
    """
    if not answer.is_success:
        raise StageError(f"{answer.request.url.path} answered {answer.status_code}: {answer.text}")
    return answer


class Person(FlowClient):
    """`name` is what the story calls her; `username` and `password` are those of her account."""

    def __init__(
        self,
        base_url: str,
        flow: str,
        *,
        under: str,
        name: str,
        username: str,
        password: str,
        record: Record,
    ) -> None:
        self.note = ""
        self.name, self.username, self.password = name, username, password
        super().__init__(
            base_url,
            flow,
            under=under,
            transport=Recording(lambda *both: self._told(record, *both)),
            timeout=30,
            headers={"User-Agent": BROWSER},
        )

    def _told(
        self, record: Record, request: httpx.Request, response: httpx.Response | None
    ) -> None:
        # To get a CSRF token is part of what the client rule asks for, and no step of a story.
        if self.note and request.url.path != "/api/csrf/":
            record(self.name, self.note, request, response)

    # --- what she does, each with a sentence that says why ------------------------------------

    def call(
        self, note: str, method: str, path: str, json: Any = None, **options: Any
    ) -> httpx.Response:
        """One request by the client rule; `path` is relative to the strategy."""
        self.note = note
        try:
            return self.send(method, path, json, **options)
        finally:
            self.note = ""
            if self.name == "mallory":
                self.keep_the_loot()

    def keep_the_loot(self) -> None:
        """`Max-Age` is a word to browsers: a thief sends a cookie for as long as she likes."""
        for cookie in self.http.cookies.jar:
            cookie.expires = None

    def raw(self, note: str, method: str, url: str, **options: Any) -> httpx.Response:
        """One request as it is, with nothing added but the cookies of the jar."""
        self.note = note
        try:
            return self.http.request(method, url, **options)
        finally:
            self.note = ""

    def path(self, path: str) -> str:
        """Where a call of the contract is, for `raw`."""
        return f"{self.under}{self.flow}/{path}"

    def log_in(self, note: str = "", password: str = "") -> httpx.Response:
        """Log in as herself, and hold the credential from then on.

        Without a `password` by her own one, which has to work for the story to go on.
        """
        self.token = None
        body = {"username": self.username, "password": password or self.password}
        note = note or f"{self.name.capitalize()} logs in."
        answer = self.call(note, "POST", "login/", body)
        self.csrf_token = None
        return answer if password else must(answer)

    def asks(self, note: str) -> httpx.Response:
        """Ask who she is, which needs a good credential and nothing else."""
        return self.call(note, "GET", "whoami/")

    def refreshes(self, note: str) -> httpx.Response:
        return self.call(note, "POST", "refresh/")

    def leaves(self, note: str) -> httpx.Response:
        return self.call(note, "POST", "logout/")

    # --- what she holds ------------------------------------------------------------------------

    def cookie(self, *names: str) -> str | None:
        """The value of the first of these cookies that she has; names without their prefix."""
        held = {c.name.removeprefix("__Host-"): c.value for c in self.http.cookies.jar}
        return next((held[name] for name in names if held.get(name)), None)

    @property
    def session_id(self) -> str | None:
        return self.cookie("sessionid", "sql-sessionid", self.flow)

    @property
    def refresh_token(self) -> str | None:
        return self.cookie("refresh", self.flow)

    @property
    def can_refresh(self) -> bool:
        """Whether she holds anything that a refresh takes."""
        return self.session_id is not None or self.refresh_token is not None

    @property
    def access_token(self) -> str | None:
        """The self-contained token, wherever the strategy keeps it; None if there is none."""
        return self.token or self.cookie("access", f"{self.flow}-access")

    def put_cookie(self, name: str, value: str) -> None:
        """Have the cookie of that name, given without its prefix, say this."""
        names = {c.name.removeprefix("__Host-"): c.name for c in self.http.cookies.jar}
        full, host = names.get(name, f"__Host-{name}"), self.http.base_url.host
        self.http.cookies.set(full, value, domain=host, path="/")
        for cookie in self.http.cookies.jar:
            # Surprise: httpx would send one that is not `Secure` by itself, and then no other.
            cookie.secure = True

    def present(self, token: str) -> None:
        """Hold this access token instead of the own one, where that was kept."""
        if self.cookie("access"):
            self.put_cookie("access", token)
        else:
            self.token = token

    def copy_from(self, other: Person) -> None:
        """Steal all that the other's client holds, as it is now."""
        self.token, self.csrf_token = other.token, None
        for cookie in other.http.cookies.jar:
            self.http.cookies.jar.set_cookie(copy(cookie))
