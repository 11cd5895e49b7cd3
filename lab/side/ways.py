"""In which ways can a login be ended, or changed? Each as a visitor, or a thief, would do it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from accounts.client import FlowClient, Refused
from accounts.models import User
from lab.differences import because, difference
from lab.strategies import Strategy

UNDER = "/lab/strategies/"
PREFIX = "lab-meter-"
# What the server says where a strategy has nothing to end, or to refresh with.
NOTHING = ("not_found", "not_authenticated")


class NotOffered(Exception):
    """Raised where the strategy has nothing for this; the message is a sentence for the visitor."""


@dataclass
class Scene:
    """A user who exists for one measurement only, and whose `login` is about to be ended."""

    url: str
    strategy: Strategy
    user: User
    password: str
    login: FlowClient = field(init=False)
    clients: list[FlowClient] = field(default_factory=list)
    ends: float = 0.0
    """When the login's credential is over if nobody ends it: Unix seconds."""

    @contextmanager
    def entered(self) -> Iterator[Scene]:
        """Log in, and leave nothing open afterwards."""
        try:
            self.login = self.logged_in()
            yield self
        finally:
            for client in self.clients:
                client.http.close()

    def client(self) -> FlowClient:
        client = FlowClient(self.url, self.strategy.key, under=UNDER)
        self.clients.append(client)
        return client

    def logged_in(self) -> FlowClient:
        """One more device of the user."""
        client = self.client()
        answer = client.login(self.user.username, self.password)
        self.ends = self.ends or end_of(answer)
        client.fetch_csrf_token()
        return client

    def presented(self) -> dict[str, str]:
        """The headers by which the login is presented; the CSRF cookie goes along, and is idle."""
        cookies = "; ".join(f"{each.name}={each.value}" for each in self.login.http.cookies.jar)
        bearer = {"Authorization": f"Bearer {self.login.token}"} if self.login.token else {}
        # From the same browser: another one would be suspicious, and ended for that.
        browser = {"User-Agent": self.login.http.headers["User-Agent"]}
        return {"Accept": "application/json", "Cookie": cookies} | browser | bearer


def end_of(answer: dict[str, Any]) -> float:
    return time.time() + answer["credential"]["expires_in"]


Act = Callable[[], object]


@dataclass(frozen=True)
class Way:
    """One way. `prepare` does what is not part of the time, and returns what is.

    `is_seen` says whether an answer to `whoami` shows that the worker knows. `goes_on` names the
    row of `lab.differences` that says for which strategies nothing is meant to end.
    """

    title: str
    prepare: Callable[[Scene], Act]
    is_seen: Callable[[int, dict[str, Any]], bool] = lambda status, answer: status == 401
    goes_on: str = ""

    def why_not(self, strategy: str) -> str:
        """Why the login goes on, where it is meant to; else nothing."""
        is_meant = self.goes_on and difference(self.goes_on, strategy)
        return because(self.goes_on, strategy) if is_meant else ""


def log_out(scene: Scene) -> Act:
    return scene.login.logout


def end_device(scene: Scene) -> Act:
    device = scene.login.whoami()["device"]
    return partial(scene.logged_in().end_device, device)


def log_out_everywhere(scene: Scene) -> Act:
    return scene.logged_in().logout_all


def change_password(scene: Scene) -> Act:
    return partial(scene.logged_in().change_password, scene.password, secrets.token_urlsafe(16))


def change_role(scene: Scene) -> Act:
    def promote() -> None:
        scene.user.is_staff = True
        scene.user.save(update_fields=["is_staff"])

    return promote


def reuse(scene: Scene) -> Act:
    """A thief has copied the long-lived secret, and comes after the owner has refreshed twice.

    Twice, because the secret before the current one is forgiven for the grace of a few seconds.
    """
    thief = scene.client()
    thief.http.cookies.update(scene.login.http.cookies)
    thief.fetch_csrf_token()
    for _ in range(2):
        scene.ends = end_of(scene.login.refresh())
    return partial(thief.send, "POST", "refresh/")


def knows_role(status: int, answer: dict[str, Any]) -> bool:
    return status == 200 and "staff" in answer["roles"]


WAYS = {
    "logout": Way("Log out", log_out),
    "device": Way("End this device from another one", end_device),
    "everywhere": Way("Log out everywhere", log_out_everywhere),
    "password": Way("Change the password on another device", change_password),
    "role": Way("Give the user a role", change_role, knows_role),
    "theft": Way("Present a stolen, used secret again", reuse, goes_on="lives_on_after_reuse"),
}


@contextmanager
def scene_for(url: str, strategy: Strategy) -> Iterator[Scene]:
    """Somebody of their own for each measurement: what is done to them is undone by deleting them.

    Those that a killed worker has left behind go first; the caller sees to it that nobody else
    measures meanwhile.
    """
    User.objects.filter(username__startswith=PREFIX).delete()
    password = secrets.token_urlsafe(16)
    user = User.objects.create_user(f"{PREFIX}{secrets.token_hex(4)}", password=password)
    try:
        with Scene(url, strategy, user, password).entered() as scene:
            yield scene
    finally:
        User.objects.filter(pk=user.pk).delete()


@contextmanager
def nothing_to_do() -> Iterator[None]:
    """Say `NotOffered` for the refusal of a strategy that keeps nothing."""
    try:
        yield
    except Refused as refusal:
        if refusal.code not in NOTHING:
            raise
        raise NotOffered(
            "It has nothing for this: the server keeps nothing that could be ended or refreshed."
        ) from refusal
