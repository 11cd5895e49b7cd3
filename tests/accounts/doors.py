"""Through which doors can a password be tried? As data, for what must hold at each one of them.

The API and the pages of every flow, the browsable API's form, the admin as this site mounts it (it
sends people to a login page), and Django's own admin login, which this site does not mount.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client
from django.urls import path

from accounts.contract.registry import flows
from authdemo import urls

# `ROOT_URLCONF` of the tests that try Django's own admin login as well.
urlpatterns = [*urls.urlpatterns, path("stock-admin/", admin.site.urls)]

RUNS: list[str] = []


class CountedHasher(MD5PasswordHasher):
    """A real hasher that notes what it hashes. (`verify` hashes once, by `encode`.)"""

    algorithm = "counted"

    def encode(self, password: str, salt: str) -> str:
        RUNS.append(password)
        return super().encode(password, salt)


Encode = Callable[[dict[str, Any]], tuple[str, str]]


def as_json(fields: dict[str, Any]) -> tuple[str, str]:
    return json.dumps(fields), "application/json"


def as_form(fields: dict[str, Any]) -> tuple[str, str]:
    return urlencode(fields, doseq=True), "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Door:
    """Where a username and a password are sent to, and how."""

    name: str
    path: str
    encode: Encode
    refusal: int
    """The status of a wrong password: 401, or 200 where the form is shown again."""
    accept: str = "text/html"

    def send(self, client: Client, username: Any, password: Any, **headers: str) -> Any:
        body, content_type = self.encode({"username": username, "password": password})
        return self.send_body(client, body, content_type, **headers)

    def send_body(
        self, client: Client, body: bytes | str, content_type: str, **headers: str
    ) -> Any:
        headers = {"Accept": self.accept, **headers}
        return client.generic("POST", self.path, body, content_type, headers=headers)

    def __str__(self) -> str:
        return self.name


API = tuple(
    Door(f"{flow.key} API", f"/api/{flow.key}/login/", as_json, 401, "application/json")
    for flow in flows()
)
BROWSABLE = tuple(
    Door(f"{flow.key} browsable API", f"/api/{flow.key}/login/", as_json, 401) for flow in flows()
)
PAGES = tuple(Door(f"{flow.key} page", f"/{flow.key}/login/", as_form, 200) for flow in flows())
ADMIN = Door("admin", "/sessions/login/?next=/admin/", as_form, 200)  # where it sends people
STOCK_ADMIN = Door("Django's own admin login", "/stock-admin/login/", as_form, 200)
DOORS = (*API, *BROWSABLE, *PAGES, ADMIN)

# The CSRF token, masked anew for every answer, and the time of day.
CHANGING = re.compile(r'name="csrfmiddlewaretoken" value="\w+"|\d\d:\d\d:\d\d GMT')


def said(response: Any, username: str) -> tuple[Any, ...]:
    """All that an answer tells: status, body, headers, cookies; without what is new every time."""
    body = CHANGING.sub("", response.content.decode()).replace(username, "NAME")
    cookies = {
        name: {key: value for key, value in morsel.items() if key != "expires"}
        for name, morsel in response.cookies.items()
    }
    headers = {name: CHANGING.sub("", value) for name, value in response.headers.items()}
    assert headers.pop("X-Request-ID")
    return response.status_code, body, headers, cookies
