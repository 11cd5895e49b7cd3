"""Is `/api/schema/` true? schemathesis sends what it allows and what it forbids. (A21, A61)

Every operation of both flows, as a user who is logged in, with all of schemathesis's checks:
what the schema allows is accepted, what it forbids is refused, no credential is ignored, and
every answer has a documented status, type, headers and shape. No check and no operation is
left out. The default run is small and the same each time; `make fuzz` draws more, at random.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import schemathesis
from django.contrib.auth.password_validation import (
    CommonPasswordValidator,
    UserAttributeSimilarityValidator,
    get_default_password_validators,
    validate_password,
)
from django.core.exceptions import ValidationError
from django.core.wsgi import get_wsgi_application
from django.test import TestCase
from hypothesis import HealthCheck, settings
from rest_framework.permissions import SAFE_METHODS
from schemathesis.specs.openapi.schemas import OpenApiSchema

from accounts.client import FlowClient
from accounts.contract.registry import flows
from accounts.models import User
from tests.contract.people import NEW_PASSWORD
from tests.contract.transport import InProcess, keep_connections

pytestmark = pytest.mark.once

FUZZ_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
PASSWORD = "ada-demo-password"

ANY = flows()[0].key  # of the calls that belong to no flow

site = get_wsgi_application()


def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """The application; what Django would do at commit is done (see `InProcess`)."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        return site(environ, start)


def load() -> OpenApiSchema:
    config = {
        "phases": {"examples": {"fill-missing": True}},
        # The credentials are ada's. Made-up ones would shut every door before the body is read;
        # they come with the check `ignored_auth`, and in `tests/contract/test_tampering.py`.
        "generation": {"with-security-parameters": False},
    }
    return schemathesis.openapi.from_wsgi(
        "/api/schema/?format=json", app, config=schemathesis.Config.from_dict(config)
    )


SCHEMA = load()


def is_easily_guessed(password: str, user: User) -> bool:
    """Whether it is on the list of common passwords, or like the name: no schema can say that."""
    unsayable = (CommonPasswordValidator, UserAttributeSimilarityValidator)
    judges = [each for each in get_default_password_validators() if isinstance(each, unsayable)]
    try:
        validate_password(password, user, judges)
    except ValidationError:
        return True
    return False


class Visitor:
    """ada, logged in; and logged in anew after each call that may have ended her login."""

    def __init__(self, flow: str) -> None:
        self.flow = flow
        self.user = User.objects.create_user("ada", password=PASSWORD)
        self.client = self.log_in()
        self.calls = self.accepted = 0

    def log_in(self) -> FlowClient:
        self.user.refresh_from_db()
        self.user.set_password(PASSWORD)
        self.user.save()
        client = FlowClient("http://localhost", self.flow, transport=InProcess())
        client.login("ada", PASSWORD)
        client.fetch_csrf_token()
        return client

    def call(self, case: schemathesis.Case) -> None:
        self.calls += 1
        valid = case.meta is not None and case.meta.generation.mode.is_positive
        if valid:
            self.complete(case)
        # Every third one comes from nobody: its refusal has to be documented as well.
        by_nobody = self.accepted and self.calls % 3 == 0
        headers, cookies = ({}, {}) if by_nobody else self.credentials(case)
        response = case.call_and_validate(headers=headers, cookies=cookies)
        if response.status_code >= 300:
            return
        self.accepted += valid
        if case.method not in SAFE_METHODS:
            self.client = self.log_in()

    def complete(self, case: schemathesis.Case) -> None:
        """Put what no schema can tell into a valid case: ada's password, and her device."""
        call = case.operation.path.split("/")[-2]
        as_drawn = self.accepted and self.calls % 2
        if call == "password":
            assert isinstance(case.body, dict)
            case.body["current_password"] = PASSWORD
            if is_easily_guessed(str(case.body["new_password"]), self.user):
                case.body["new_password"] = NEW_PASSWORD
        if call == "login" and not as_drawn:
            case.body = {"username": "ada", "password": PASSWORD}
        if "device" in case.path_parameters and not as_drawn:
            case.path_parameters["device"] = self.client.whoami()["device"]
        if "token" in case.path_parameters and not as_drawn:
            case.path_parameters["token"] = self.make_token()

    def make_token(self) -> str:
        wanted = {"name": "schemathesis", "scope": "profile:read", "expires_in": 60}
        return self.client.send("POST", "tokens/", wanted).json()["id"]

    def credentials(self, case: schemathesis.Case) -> tuple[dict[str, str], dict[str, str]]:
        """Headers and cookies that the operation asks for."""
        security = case.operation.definition.raw["security"]
        asked = {name for requirement in security for name in requirement}
        # Her own browser's name: her login would be ended if another one used it beside her.
        headers = {"User-Agent": self.client.http.headers["User-Agent"]}
        if "csrf" in asked:
            headers["X-CSRFToken"] = self.client.csrf_token or ""
        if "jwt" in asked:
            headers["Authorization"] = f"Bearer {self.client.token}"
        if not asked - {"jwt"}:
            return headers, {}
        cookies = {cookie.name: cookie.value or "" for cookie in self.client.http.cookies.jar}
        # Surprise: schemathesis takes a cookie for a made-up one unless a header names it too.
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        return headers, cookies


@pytest.fixture
def visitors(db: None, settings) -> Iterator[dict[str, Visitor]]:
    """One for each flow that is asked."""
    settings.LOGIN_LIMIT_ACCOUNT = settings.LOGIN_LIMIT_NETWORK = 10**9
    visitors: dict[str, Visitor] = {}
    with keep_connections():
        yield visitors
    assert all(each.accepted for each in visitors.values()), "nothing valid was ever accepted"


@SCHEMA.parametrize()
@settings(
    max_examples=FUZZ_EXAMPLES or 20,
    derandomize=not FUZZ_EXAMPLES,
    deadline=None,
    # One visitor for all cases of an operation: she logs in again wherever that matters.
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_the_schema_is_true(case: schemathesis.Case, visitors: dict[str, Visitor]) -> None:
    flow = next((flow.key for flow in flows() if f"/{flow.key}/" in case.operation.path), ANY)
    if flow not in visitors:
        visitors[flow] = Visitor(flow)
    visitors[flow].call(case)
