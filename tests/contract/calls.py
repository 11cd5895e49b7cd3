"""Which calls does the contract have? As data, for what must hold for each one of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from accounts.client import FlowClient
from tests.contract.people import NEW_PASSWORD, Person

Body = Callable[[Person], Any]


@dataclass(frozen=True)
class Call:
    """One call of the contract. `{device}` in a path is the caller's own device."""

    name: str
    method: str
    path: str
    success: int = 200
    body: Body = lambda person: None
    by_cookie: bool = False
    """Whether the authority of the call is a cookie in every flow (login sets one)."""

    def send(
        self, client: FlowClient, person: Person, device: str = "", **options: Any
    ) -> httpx.Response:
        path = self.path.format(device=device)
        return client.send(self.method, path, self.body(person), **options)

    def __str__(self) -> str:
        return self.name


CALLS = (
    Call(
        "login",
        "POST",
        "login/",
        body=lambda person: {"username": person.username, "password": person.password},
        by_cookie=True,
    ),
    Call("refresh", "POST", "refresh/", by_cookie=True),
    Call("whoami", "GET", "whoami/"),
    Call("me", "GET", "me/"),
    Call("rename", "PATCH", "me/", body=lambda person: {"display_name": "Ada"}),
    Call("devices", "GET", "devices/"),
    Call("end-device", "DELETE", "devices/{device}/", success=204),
    Call(
        "password",
        "POST",
        "password/",
        body=lambda person: {
            "current_password": person.password,
            "new_password": NEW_PASSWORD,
        },
    ),
    Call("logout", "POST", "logout/", success=204, by_cookie=True),
    Call("logout-all", "POST", "logout-all/", success=204),
)
PERSONAL = tuple(call for call in CALLS if not call.by_cookie)
UNSAFE = tuple(call for call in CALLS if call.method != "GET")
