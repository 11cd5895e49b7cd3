"""Are all strategies there, only in the lab, and does each keep to itself?

That each of them passes the contract suite is tested there: `pytest tests/contract -k jwt-cookie`.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import time_machine
from django.conf import settings
from django.test import Client
from pytest_django import Settings

from accounts.contract.registry import flows, keepers
from accounts.models import User
from jwt_api.tokens import AccessToken
from lab.differences import difference
from lab.strategies import STRATEGIES, Strategy, strategy
from tests.contract.tampering import CHANGES
from tests.jwt_api.forging import Forge

pytestmark = [pytest.mark.django_db, pytest.mark.once]

PASSWORD = "ada-demo-password"
KEYS = [row.key for row in STRATEGIES]
FLOWS = {flow.key: flow for flow in flows()}
NAIVE = "/lab/strategies/jwt-naive"


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.fixture
def token(lab: None, ada: User, client: Client) -> str:
    """The one token of `jwt-naive`."""
    answer = post(client, f"{NAIVE}/login/", username=ada.username, password=PASSWORD)
    return answer.json()["credential"]["token"]


def post(client: Client, path: str, headers: dict[str, str] | None = None, **body: str) -> Any:
    return client.post(path, body, content_type="application/json", headers=headers)


# --- the table ------------------------------------------------------------------------------


def test_the_rows_are_those_of_the_design() -> None:
    assert KEYS == [
        "session-database",
        "session-redis",
        "session-push",
        "jwt-naive",
        "jwt-expiry",
        "jwt-lookup",
        "jwt-push",
        "jwt-cookie",
    ]


@pytest.mark.parametrize("row", STRATEGIES, ids=lambda row: row.key)
def test_a_row_is_whole(row: Strategy) -> None:
    assert row.flow.key == row.key
    assert row.variant_of in FLOWS
    for text in (row.each_request, row.lives_after):
        assert text.endswith(".")
    assert (row.weak == "") == (difference("lacks", row.key) == ())


def test_one_alone_is_weak_and_no_flow_of_the_site_is_a_variant_of_it() -> None:
    assert [row.key for row in STRATEGIES if row.weak] == ["jwt-naive"]


# --- where they are -------------------------------------------------------------------------


@pytest.mark.parametrize("key", KEYS)
def test_it_is_there_while_the_lab_is_on(lab: None, client: Client, key: str) -> None:
    answer = client.get(f"/lab/strategies/{key}/whoami/", headers={"accept": "text/html"})
    assert answer.status_code == 406
    answer = client.get(f"/lab/strategies/{key}/whoami/")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize("key", KEYS)
def test_without_the_lab_there_is_none(client: Client, settings: Settings, key: str) -> None:
    assert not settings.LAB
    answer = client.post(f"/lab/strategies/{key}/login/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_what_no_view_refuses_is_json_too(lab: None, client: Client) -> None:
    answer = client.get("/lab/strategies/jwt-basic/whoami/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_schema_describes_the_contract_once(lab: None, client: Client) -> None:
    assert b"/lab/" not in client.get("/api/schema/").content


# --- whom a change of the user reaches ------------------------------------------------------


def test_only_a_strategy_with_a_store_of_its_own_is_told_of_changes(settings: Settings) -> None:
    assert keepers() == flows()
    settings.LAB = True
    assert [flow.key for flow in keepers()] == [*FLOWS, "session-database"]


CHANGES_OF_A_USER: dict[str, Callable[[User], object]] = {
    "logout-all": lambda user: user.raise_epoch(),
    "deactivation": lambda user: User.objects.filter(pk=user.pk).update(is_active=False),
    "deletion": lambda user: user.delete(),
}


@pytest.mark.parametrize("change", CHANGES_OF_A_USER)
def test_a_session_in_sql_ends_with_the_change(
    lab: None, ada: User, client: Client, change: str
) -> None:
    post(client, "/lab/strategies/session-database/login/", username="ada", password=PASSWORD)
    whoami = "/lab/strategies/session-database/whoami/"
    assert client.get(whoami).status_code == 200
    CHANGES_OF_A_USER[change](ada)
    assert client.get(whoami).status_code == 401


def test_a_session_in_sql_is_listed_and_ended_from_everywhere(
    lab: None, ada: User, client: Client
) -> None:
    post(client, "/lab/strategies/session-database/login/", username="ada", password=PASSWORD)
    device = client.get("/lab/strategies/session-database/whoami/").json()["device"]
    post(client, "/api/sessions/login/", username="ada", password=PASSWORD)
    assert device in [each["id"] for each in client.get("/api/sessions/devices/").json()]
    assert device in client.get("/sessions/devices/").content.decode()
    assert client.delete(f"/api/sessions/devices/{device}/").status_code == 204
    assert client.get("/lab/strategies/session-database/whoami/").status_code == 401


# --- jwt-naive: what is wrong with it, and how it is kept in --------------------------------


def test_the_naive_token_sets_no_cookie_and_lasts_a_day(
    lab: None, ada: User, client: Client
) -> None:
    answer = post(client, f"{NAIVE}/login/", username="ada", password=PASSWORD)
    assert answer.json()["credential"]["expires_in"] == 86400
    assert not {name for name in answer.cookies if "csrf" not in name and "known" not in name}


@pytest.mark.parametrize("call", ["logout", "logout-all"])
def test_a_logout_ends_no_naive_token(client: Client, token: str, call: str) -> None:
    assert post(client, f"{NAIVE}/{call}/", headers=bearer(token)).status_code == 204
    assert client.get(f"{NAIVE}/whoami/", headers=bearer(token)).status_code == 200


def test_a_new_password_ends_no_naive_token(client: Client, token: str) -> None:
    passwords = {"current_password": PASSWORD, "new_password": "seven-swallows"}
    assert post(client, f"{NAIVE}/password/", bearer(token), **passwords).status_code == 200
    assert client.get(f"{NAIVE}/whoami/", headers=bearer(token)).status_code == 200
    # What reads the user's row compares its epoch, as everywhere.
    assert client.get(f"{NAIVE}/me/", headers=bearer(token)).status_code == 401


def test_no_device_list_shows_a_naive_token(client: Client, token: str) -> None:
    assert client.get(f"{NAIVE}/devices/", headers=bearer(token)).json() == []


def test_a_naive_token_ends_after_its_day(client: Client, token: str) -> None:
    ends = datetime.fromtimestamp(Forge(token).claims["exp"], UTC)
    with time_machine.travel(ends + timedelta(seconds=29), tick=False):
        assert client.get(f"{NAIVE}/whoami/", headers=bearer(token)).status_code == 200
    with time_machine.travel(ends + timedelta(seconds=31), tick=False):
        answer = client.get(f"{NAIVE}/whoami/", headers=bearer(token))
    assert (answer.status_code, answer.json()["code"]) == (401, "credential_expired")


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_naive_token_opens_nothing(client: Client, token: str, change: str) -> None:
    changed = CHANGES[change](token).encode().decode("latin-1")  # as servers pass it on
    answer = client.get(f"{NAIVE}/whoami/", headers=bearer(changed))
    assert (answer.status_code, answer.json()["code"]) == (401, "credential_invalid")


@pytest.mark.parametrize("path", ["/api/jwt", *(f"/lab/strategies/{key}" for key in KEYS)])
def test_a_naive_token_opens_its_own_strategy_and_nothing_else(
    client: Client, token: str, path: str
) -> None:
    """Threat: a token that nothing can end must not be one of the real API."""
    for name, held in {"header": bearer(token), "cookie": {}}.items():
        client.cookies["__Host-access"] = token if name == "cookie" else ""
        opened = client.get(f"{path}/whoami/", headers=held).status_code == 200
        assert opened == (path == NAIVE and name == "header")


def test_no_service_takes_a_naive_token_for_one_of_the_api(token: str, settings: Settings) -> None:
    """Threat: one that verifies on its own looks at `aud`, and knows no strategies."""
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["aud"] not in (settings.SIMPLE_JWT["AUDIENCE"], settings.JWT_PROGRAM_AUDIENCE)


def test_no_token_of_the_jwt_flow_opens_the_naive_strategy(
    lab: None, ada: User, client: Client
) -> None:
    answer = post(client, "/api/jwt/login/", username="ada", password=PASSWORD)
    flows_token = answer.json()["credential"]["token"]
    AccessToken(flows_token)
    answer = client.get(f"{NAIVE}/whoami/", headers=bearer(flows_token))
    assert (answer.status_code, answer.json()["code"]) == (401, "credential_invalid")


# --- credentials that a browser sends by itself ---------------------------------------------


@pytest.mark.parametrize("key", ["session-database", "session-redis", "jwt-cookie"])
def test_another_site_changes_nothing(lab: None, ada: User, client: Client, key: str) -> None:
    """Threat: the browser sends the cookies along with a request that another site made."""
    there = f"/lab/strategies/{key}"
    post(client, f"{there}/login/", username="ada", password=PASSWORD)
    forged = Client(enforce_csrf_checks=True)
    forged.cookies = client.cookies
    body = {"display_name": "mallory was here"}
    answer = forged.patch(f"{there}/me/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")
    assert forged.get(f"{there}/me/").json()["display_name"] != body["display_name"]


# --- jwt-cookie -----------------------------------------------------------------------------


def test_a_token_in_the_cookie_opens_what_one_in_a_header_does_not(
    lab: None, ada: User, client: Client
) -> None:
    there = "/lab/strategies/jwt-cookie"
    answer = post(client, f"{there}/login/", username="ada", password=PASSWORD)
    assert answer.json()["credential"]["token"] is None
    held = answer.cookies["__Host-access"]
    assert (held["httponly"], held["samesite"], held["secure"]) == (True, "Strict", True)
    assert client.get(f"{there}/whoami/").status_code == 200
    assert Client().get(f"{there}/whoami/", headers=bearer(held.value)).status_code == 401


def test_an_expired_access_cookie_is_called_expired(
    lab: None, ada: User, client: Client, settings: Settings
) -> None:
    """Or the client would not refresh, and its user would have to log in every 15 minutes."""
    there = "/lab/strategies/jwt-cookie"
    answer = post(client, f"{there}/login/", username="ada", password=PASSWORD)
    assert answer.cookies["__Host-access"]["max-age"] == settings.REFRESH_IDLE_SECONDS
    late = settings.ACCESS_SECONDS + settings.LEEWAY_SECONDS + 2
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=late)):
        assert client.get(f"{there}/whoami/").json()["code"] == "credential_expired"
        post(client, f"{there}/refresh/")
        assert client.get(f"{there}/whoami/").status_code == 200


def test_strategy_is_found_by_its_key() -> None:
    assert strategy("jwt-naive").weak


def test_what_contract_tests_need_is_something_that_a_strategy_may_lack() -> None:
    """A word that is spelt otherwise would excuse nobody, and say so to nobody."""
    files = (Path(__file__).parent.parent / "contract").glob("test_*.py")
    marks = [
        mark for file in files for mark in re.findall(r"mark\.needs\((.+)\)", file.read_text())
    ]
    needed = {word for mark in marks for word in re.findall(r'"(\w+)"', mark)}
    lacked = {word for row in STRATEGIES for word in difference("lacks", row.key)}
    assert needed == lacked


def test_a_programs_token_in_the_cookie_opens_nothing(lab: None, ada: User, client: Client) -> None:
    """It was made for a program that its user names, and not for a browser that is the user."""
    given = post(client, "/api/jwt/login/", username=ada.username, password=PASSWORD)
    headers = bearer(given.json()["credential"]["token"])
    wanted = {"name": "bot", "scope": "profile:read", "expires_in": 3600}
    made = client.post("/api/jwt/tokens/", wanted, content_type="application/json", headers=headers)
    other = Client()
    other.cookies[settings.LAB_ACCESS_COOKIE_NAME] = made.json()["token"]
    answer = other.get("/lab/strategies/jwt-cookie/whoami/")
    assert (answer.status_code, answer.json()["code"]) == (401, "credential_invalid")
