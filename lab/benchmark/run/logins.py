"""How does each subject log in, renew and revoke? As its documentation tells a client to.

A login is driven by one client after another. What it presents afterwards, `headers`, is what the
load driver sends with every request.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import httpx
import jwt

from accounts.client import FlowClient, Refused, authorities
from accounts.management.commands.make_demo_users import demo_password
from lab.benchmark.run.gunicorn_config import PATH
from lab.staging.processes import StageError

USERNAME = "ada"
PASSWORD = demo_password(USERNAME)
# Always the same one: a credential that comes from another browser than before is suspicious.
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
# Parts of the names of cookies that every visitor has.
NO_CREDENTIAL = ("csrf", "known-device")
SENT_ALWAYS = {"Accept": "application/json", "User-Agent": BROWSER}


class NotOffered(Exception):
    """Raised for a call that this way of staying logged in does not have."""


class Login(ABC):
    """One client of one subject. Every call is one request; a refusal raises."""

    prefix: ClassVar[str] = ""
    token: str = ""
    """A self-contained credential, if it is one: a JWT."""
    refresh: str = ""
    key: str = ""
    """An opaque one that is in no cookie."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(
            base_url=url, headers=SENT_ALWAYS, timeout=30, verify=authorities()
        )

    def leave(self) -> None:
        """Log out: a user has so many devices at most, and the oldest would end for a new one."""
        self.prepare()
        self.revoke()
        self.http.close()

    def prepare(self) -> None:
        """Do what the next call needs first and what is not part of its time: here, connect."""
        self.http.get(PATH).raise_for_status()

    @contextmanager
    def counting(self) -> Iterator[dict[str, Any]]:
        """What the worker spends on this client's calls meanwhile; filled in at the end."""
        spent: dict[str, Any] = {}
        # On the one connection of this client: the worker that counts is the one that works.
        self.http.get(PATH, params={"count": 1}).raise_for_status()
        yield spent
        spent.update(self.http.get(PATH, params={"count": 0}).raise_for_status().json())

    @abstractmethod
    def log_in(self) -> None:
        """Prove the password."""

    def renew(self) -> None:
        """Exchange the long-lived secret for a fresh credential."""
        raise NotOffered

    @abstractmethod
    def revoke(self) -> None:
        """Log out: returns when the server has confirmed."""

    @property
    def headers(self) -> dict[str, str]:
        """What presents the credential."""
        return SENT_ALWAYS | self.presented()

    def presented(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def held(self) -> int:
        """Bytes of the secrets that keep this client logged in, without the names of cookies."""
        secrets = {self.token, self.refresh, self.key}
        if "Cookie" in self.presented():
            secrets |= {
                cookie.value or ""
                for cookie in self.http.cookies.jar
                if not any(part in cookie.name for part in NO_CREDENTIAL)
            }
        return sum(map(len, secrets))

    def cookies(self) -> dict[str, str]:
        held = [f"{cookie.name}={cookie.value}" for cookie in self.http.cookies.jar]
        return {"Cookie": "; ".join(held)} if held else {}

    def expires_at(self) -> float | None:
        """When the token says that it ends, in Unix seconds; None for what is opaque."""
        if not self.token:
            return None
        claims = jwt.decode(self.token, options={"verify_signature": False})
        return float(claims["exp"])

    def post(
        self, path: str, body: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        answer = self.http.post(f"{self.prefix}{path}", json=body, headers=headers)
        if not answer.is_success:
            raise StageError(f"{answer.url} answered {answer.status_code}: {answer.text[:200]}")
        content: dict[str, Any] = answer.json() if answer.content else {}
        return content


class Contract(Login):
    """A strategy of this project, by the client rule of its contract.

    `path` is where the contract is mounted: `/lab/strategies/jwt-push/`, say.
    """

    def __init__(self, url: str, path: str) -> None:
        under, _, flow = path.strip("/").rpartition("/")
        self.client = FlowClient(url, flow, under=f"/{under}/", headers=SENT_ALWAYS, timeout=30)
        self.http = self.client.http
        self.ends = 0.0

    @property
    def token(self) -> str:  # type: ignore[override]
        return self.client.token or ""

    def prepare(self) -> None:
        self.client.fetch_csrf_token()

    def log_in(self) -> None:
        answer = self.client.login(USERNAME, PASSWORD)
        self.ends = time.time() + answer["credential"]["expires_in"]

    def expires_at(self) -> float:
        return self.ends

    def renew(self) -> None:
        try:
            self.client.refresh()
        except Refused as refusal:
            if refusal.code == "not_authenticated":
                raise NotOffered from refusal  # there is nothing that could be renewed
            raise

    def revoke(self) -> None:
        self.client.logout()

    def presented(self) -> dict[str, str]:
        bearer = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return self.cookies() | bearer


class Nobody(Login):
    """The floor: a view that asks nobody who they are."""

    def log_in(self) -> None:
        """There is nothing to log in to."""

    def revoke(self) -> None:
        raise NotOffered

    def presented(self) -> dict[str, str]:
        return {}


class DjangoSessions(Login):
    """Django's own sessions, in the cache, with DRF's SessionAuthentication."""

    prefix = "/django-sessions/"

    def log_in(self) -> None:
        self.post("login/", {"username": USERNAME, "password": PASSWORD})

    def revoke(self) -> None:
        self.post("logout/", {}, {"X-CSRFToken": self.http.cookies["csrftoken"]})

    def presented(self) -> dict[str, str]:
        return self.cookies()


class SimpleJwt(Login):
    """SimpleJWT's own views."""

    prefix = "/simplejwt/"

    def log_in(self) -> None:
        self.keep(self.post("token/", {"username": USERNAME, "password": PASSWORD}))

    def renew(self) -> None:
        self.keep(
            {"refresh": self.refresh} | self.post("token/refresh/", {"refresh": self.refresh})
        )

    def revoke(self) -> None:
        self.post("token/blacklist/", {"refresh": self.refresh})

    def keep(self, answer: dict[str, Any]) -> None:
        self.token, self.refresh = answer["access"], answer["refresh"]


class Knox(Login):
    """django-rest-knox: an opaque token whose digest is in the database."""

    prefix = "/knox/"

    def log_in(self) -> None:
        self.key = self.post("login/", {"username": USERNAME, "password": PASSWORD})["token"]

    def revoke(self) -> None:
        self.post("logout/", {}, self.presented())

    def presented(self) -> dict[str, str]:
        return {"Authorization": f"Token {self.key}"}


class AllauthSession(Login):
    """allauth headless for apps: a session behind X-Session-Token."""

    prefix = "/_allauth/app/v1/"

    def log_in(self) -> None:
        answer = self.post("auth/login", {"username": USERNAME, "password": PASSWORD})
        self.keep(answer["meta"])

    def keep(self, answer: dict[str, Any]) -> None:
        self.key = answer["session_token"]

    def revoke(self) -> None:
        answer = self.http.delete(f"{self.prefix}auth/session", headers=self.presented())
        # Its way to say that one is logged out now.
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            raise StageError(f"{answer.url} answered {answer.status_code}: {answer.text[:200]}")

    def presented(self) -> dict[str, str]:
        return {"X-Session-Token": self.key}


class AllauthJwt(AllauthSession):
    """allauth headless for apps, with its JWT strategy."""

    def keep(self, answer: dict[str, Any]) -> None:
        self.token, self.refresh = answer["access_token"], answer["refresh_token"]

    def renew(self) -> None:
        self.keep(self.post("tokens/refresh", {"refresh_token": self.refresh})["data"])

    def presented(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


class DjRestAuth(Login):
    """dj-rest-auth with USE_JWT: SimpleJWT's tokens in cookies."""

    prefix = "/dj-rest-auth/"

    def log_in(self) -> None:
        self.post("login/", {"username": USERNAME, "password": PASSWORD})
        self.token = self.http.cookies["peer-access"]

    def renew(self) -> None:
        self.post("token/refresh/", {})
        self.token = self.http.cookies["peer-access"]

    def revoke(self) -> None:
        self.post("logout/", {})

    def presented(self) -> dict[str, str]:
        return self.cookies()
