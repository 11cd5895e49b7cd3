"""What is a check given to look at? A site that answers, somebody who can log in, and the inside.

From inside are the settings, Redis and the database of this deployment. From outside there is
only what the site answers, and whoever asks for more gets `Unseen`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookiejar import Cookie
from http.cookies import Morsel, SimpleCookie
from typing import Any

import httpx
from django.conf import LazySettings, settings
from django.core.checks import CheckMessage, run_checks

from accounts.auth_redis import Redis, auth_redis
from accounts.checks import LOOPBACK
from accounts.client import FlowClient, Refused, authorities
from lab.audit.point import Unseen
from lab.differences import difference

BROWSER = "authdemo-audit"
OUTSIDE = "cannot be seen from outside"
NO_LOGIN = "needs somebody who can log in: --username"
PREFIXES = ("__Host-", "__Secure-")
LEAST_TELLING = 5  # characters: random text spells shorter words by itself


class NoAnswer(Exception):
    """The site does not answer, or lets nobody in, so that nothing can be audited."""


@dataclass(frozen=True)
class Person:
    """Who logs in. `words` are what else no credential may say of them, such as a hash."""

    username: str
    password: str = field(repr=False)
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Login:
    """One login, as its answer came. `cookie` is the one that holds the long-lived secret."""

    client: FlowClient
    response: httpx.Response = field(repr=False)
    cookie: Morsel[str] = field(repr=False)

    @property
    def token(self) -> str:
        token: str = self.response.json()["credential"]["token"]
        return token

    @property
    def user_id(self) -> int:
        return int(self.response.json()["user"]["id"])


class Scene:
    """A site at `url`. `headers` go with each request, `over_https` with all but plain ones."""

    def __init__(
        self,
        url: str,
        *,
        person: Person | None,
        inside: bool,
        headers: dict[str, str] | None = None,
        over_https: dict[str, str] | None = None,
    ) -> None:
        self.url, self.person, self.inside = url.rstrip("/"), person, inside
        self.headers = {"User-Agent": BROWSER, "Accept": "application/json", **(headers or {})}
        self.over_https = over_https or {}
        self._logins: list[Login] = []
        self._standing: dict[str, Login] = {}
        self._clients: list[httpx.Client] = []
        self._known_device: list[Cookie] = []
        self._messages: list[CheckMessage] | None = None

    # --- the service ------------------------------------------------------------------------

    def client(self, flow: str) -> FlowClient:
        """Somebody new, who is known as a browser of the person's: nobody gets a mail for it."""
        client = FlowClient(self.url, flow, headers=self.headers | self.over_https)
        if self.url.startswith("http://"):
            client.http.event_hooks["response"].append(lambda response: send_alike(client))
        give(client, self._known_device)
        self._clients.append(client.http)
        return client

    def login(self, flow: str, client: FlowClient | None = None) -> Login:
        """A login of its own. Raises `Unseen` without a person, `NoAnswer` where it fails."""
        if self.person is None:
            raise Unseen(NO_LOGIN)
        client = client or self.client(flow)
        client.token = client.csrf_token = None
        credentials = {"username": self.person.username, "password": self.person.password}
        response = client.send("POST", "login/", credentials)
        if not response.is_success:
            raise NoAnswer(f"{self.person.username} cannot log in: {Refused(response)}")
        client.csrf_token = None
        held = client.http.cookies.jar
        self._known_device = [cookie for cookie in held if bare(cookie.name) == "known-device"]
        login = Login(client, response, self._secret_cookie(flow, response))
        self._logins.append(login)
        return login

    def standing(self, flow: str) -> Login:
        """One login for all checks that only look at it."""
        if flow not in self._standing:
            self._standing[flow] = self.login(flow)
        return self._standing[flow]

    def personal(self, flow: str) -> list[str]:
        """What only somebody who knows the user can know, in lower case."""
        assert self.person is not None
        profile = self.standing(flow).client.me().values()
        words = {*self.person.words, self.person.username, self.person.password}
        words |= {value for value in profile if isinstance(value, str)}
        return sorted(word.casefold() for word in words if len(word) >= LEAST_TELLING)

    def copy_of(self, login: Login) -> FlowClient:
        """Somebody else, over a connection of their own, with the same credential."""
        copy = self.client(login.client.flow)
        give(copy, login.client.http.cookies.jar)
        copy.token = login.client.token
        return copy

    def plain(self, path: str) -> httpx.Response:
        """What is answered to HTTP without encryption. Raises `httpx.HTTPError`."""
        url = self.url.replace("https://", "http://", 1)
        return httpx.get(url + path, headers=self.headers, timeout=10, verify=authorities())

    def close(self) -> None:
        """Log out whoever is still logged in, and hang up. Inside, the user goes instead."""
        for login in () if self.inside else self._logins:
            with suppress(Refused, httpx.HTTPError):
                login.client.logout()
        for client in self._clients:
            client.close()

    def _secret_cookie(self, flow: str, response: httpx.Response) -> Morsel[str]:
        cookies = cookies_of(response)
        wanted = bare(difference("cookie_name", flow))
        found = [morsel for name, morsel in cookies.items() if bare(name) == wanted]
        if not found:
            raise NoAnswer(f"The login of {flow} sets no cookie called {wanted}.")
        return found[0]

    # --- the inside -------------------------------------------------------------------------

    @property
    def settings(self) -> LazySettings:
        if not self.inside:
            raise Unseen(OUTSIDE)
        return settings

    def redis(self) -> Redis:
        """The Redis of this deployment's credentials."""
        assert self.settings
        return auth_redis()

    def messages(self) -> list[CheckMessage]:
        """What `manage.py check --deploy` would say, and what it was told to be silent about."""
        assert self.settings
        if self._messages is None:
            self._messages = run_checks(include_deployment_checks=True)
        return self._messages

    @property
    def is_local(self) -> bool:
        """Whether the site answers this machine only, so that nothing goes over a network."""
        names = settings.ALLOWED_HOSTS if self.inside else [httpx.URL(self.url).host]
        return {name.strip("[]") for name in names} <= {name.strip("[]") for name in LOOPBACK}


def cookies_of(response: httpx.Response) -> dict[str, Morsel[str]]:
    """What a response sets, by name, with all its attributes."""
    found: SimpleCookie = SimpleCookie()
    for line in response.headers.get_list("set-cookie"):
        found.load(line)
    return dict(found)


def send_alike(client: FlowClient) -> None:
    """Have a jar's cookies sent all in one way, to this machine: the client sends the Secure ones.

    httpx would send the others, and the two ways do not meet in one request.
    """
    for cookie in client.http.cookies.jar:
        cookie.secure = True


def give(client: FlowClient, cookies: Iterable[Cookie]) -> None:
    """Put cookies into a client's jar, Secure and all: as text they would lose that."""
    for cookie in cookies:
        client.http.cookies.jar.set_cookie(cookie)


def bare(name: str) -> str:
    """A cookie's name without the prefix that browsers look at."""
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name


def said(response: httpx.Response) -> str:
    """The status and the contract's code: `401 credential_revoked`."""
    with suppress(ValueError, AttributeError):
        code = response.json().get("code", "") if response.content else ""
        return f"{response.status_code} {code}".strip()
    return str(response.status_code)


def readable(text: str) -> str:
    """A credential's text, and what its parts say once they are decoded: anybody can do that."""
    return " ".join([text, *map(_decoded, text.split("."))])


def _decoded(segment: str) -> str:
    with suppress(ValueError):
        raw = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
        return raw.decode(errors="replace")
    return ""


def texts(redis: Redis, user_id: int) -> dict[str, str]:
    """Every key of a user in Redis, with its value as text."""
    readers: dict[bytes, Callable[[bytes], Any]] = {
        b"string": redis.get,
        b"zset": lambda name: redis.zrange(name, 0, -1),
        b"hash": redis.hgetall,
        b"set": redis.smembers,
        b"list": lambda name: redis.lrange(name, 0, -1),
    }
    found = {}
    for name in redis.scan_iter(match=f"*{{{user_id}}}*", count=1000):
        read = readers.get(redis.type(name), lambda name: "")
        found[name.decode(errors="replace")] = str(read(name))
    return found
