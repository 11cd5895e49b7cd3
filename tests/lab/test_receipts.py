"""Is a receipt right? Counted once more by the stores themselves, and searched for secrets."""

import json
import re
from collections import Counter
from typing import Any

import httpx
import pytest
from django.core.exceptions import MiddlewareNotUsed
from django.db import connections
from django_redis import get_redis_connection
from pytest_django import Settings

from accounts.client import FlowClient
from lab.benchmark.costs import measured
from lab.differences import difference
from lab.receipts.code import code_around
from lab.receipts.middleware import ReceiptMiddleware
from lab.receipts.receipt import MOST_CHARACTERS, MOST_STEPS
from lab.strategies import STRATEGIES
from sessions_api.records import digest_of
from tests.contract.transport import InProcess, keep_connections
from tests.outages import REDIS_AWAY, needs_redis_server, private_redis

pytestmark = pytest.mark.django_db

PASSWORD = "ada-demo-password"
ASK = {"X-Lab-Receipt": "1"}
KEYS = [row.key for row in STRATEGIES]
FLOWS = ["sessions", "jwt"]


@pytest.fixture
def visit(lab: None, ada: Any) -> Any:
    """Open a browser on a flow or a strategy, which keeps every answer."""
    clients = []

    def visit(key: str) -> FlowClient:
        under = "/lab/strategies/" if key in KEYS else "/api/"
        client = FlowClient("http://127.0.0.1", key, under=under, transport=InProcess())
        clients.append(client)
        return client

    with keep_connections():
        yield visit
    for client in clients:
        client.http.close()


def receipt_of(response: httpx.Response) -> dict[str, Any]:
    return json.loads(response.headers["X-Lab-Receipt"])


def entered(visit: Any, key: str) -> FlowClient:
    client = visit(key)
    client.login("ada", PASSWORD)
    client.fetch_csrf_token()
    return client


CALLS = {
    "login": ("POST", "login/", {"username": "ada", "password": PASSWORD}),
    "whoami": ("GET", "whoami/", None),
    "me": ("GET", "me/", None),
    "refresh": ("POST", "refresh/", None),
    "logout": ("POST", "logout/", None),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("key", FLOWS)
def test_the_stores_count_the_same(visit: Any, key: str, call: str) -> None:
    client = entered(visit, key)
    method, path, body = CALLS[call]
    with measured(get_redis_connection("auth")) as cost:
        receipt = receipt_of(client.send(method, path, body, headers=ASK))
    told = Counter(
        step["text"].split()[0].lower() for step in receipt["steps"] if step["lane"] == "redis"
    )
    statements = [step["text"] for step in receipt["steps"] if step["lane"] == "database"]
    assert receipt["counts"]["redis"] == sum(cost.redis.values())
    assert receipt["counts"]["sql"] == len(cost.sql)
    assert told == cost.redis
    assert [sql.split()[0] for sql in statements] == [sql.split()[0] for sql in cost.sql]


@pytest.mark.parametrize("key", [*FLOWS, *KEYS])
def test_whoami_costs_what_its_strategy_promises(visit: Any, key: str) -> None:
    client = entered(visit, key)
    receipts = [receipt_of(client.send("GET", "whoami/", headers=ASK)) for _ in range(5)]
    # The least: the first request finds no copy yet, and a mirror needs a moment to be in use.
    sql = min(each["counts"]["sql"] for each in receipts)
    assert sql == difference("whoami_sql_statements", key)
    redis = {each["counts"]["redis"] for each in receipts}
    promised = difference("whoami_redis_commands", key)
    assert promised in redis if promised else len(redis) >= 1
    names = [each["name"] for each in receipts[-1]["checks"]]
    assert names[-2:] == ["credential", "scope"]
    assert all(each["passed"] for each in receipts[-1]["checks"])
    assert receipts[-1]["refused_by"] is None


TEXTS = {
    "sessions": ["MGET session:{ID}:… user:{ID}"],
    "jwt": [],
    "jwt-lookup": ["MGET denied:since denied:{ID} denied:{ID}:DEVICE"],
}


@pytest.mark.once
@pytest.mark.parametrize("key", TEXTS)
def test_whoami_says_its_commands(visit: Any, ada: Any, key: str) -> None:
    client = entered(visit, key)
    device = client.whoami()["device"]
    receipt = receipt_of(client.send("GET", "whoami/", headers=ASK))
    told = [step["text"] for step in receipt["steps"] if step["lane"] == "redis"]
    plain = [
        re.sub(r"(session:\{\d+\}:)[\w-]{4}…", r"\1…", text)
        .replace(f"{{{ada.pk}}}", "{ID}")
        .replace(device, "DEVICE")
        for text in told
    ]
    assert plain == TEXTS[key]


CHECKS = {
    "sessions": "cookies, session id, record, absolute end, holder, epoch, suspicion, credential, "
    "scope",
    "jwt": "cookies, bearer, token, text, typ, key, algorithm, signature, required claims, iat, "
    "exp, iss, aud, claims, use, time, credential, scope",
    "jwt-lookup": "cookies, bearer, token, time, denylist, credential, scope",
    "session-database": "cookies, session id, record, epoch, credential, scope",
}


@pytest.mark.once
@pytest.mark.parametrize("key", CHECKS)
def test_checks_are_told_in_the_order_in_which_they_ran(visit: Any, key: str) -> None:
    client = entered(visit, key)
    if key == "jwt-lookup":
        client.whoami()  # from now on this process remembers the signature
    receipt = receipt_of(client.send("GET", "whoami/", headers=ASK))
    assert ", ".join(each["name"] for each in receipt["checks"]) == CHECKS[key]
    assert receipt["counts"]["checks"] == len(receipt["checks"])
    for each in receipt["checks"]:
        code = code_around(each["path"], each["line"])
        assert code["name"] in "\n".join(code["lines"])


# What is done to a request that was good, and which check says no to it.
REFUSALS: dict[str, tuple[str, dict[str, str], int, str]] = {
    "no credential": ("whoami/", {"Cookie": "", "Authorization": ""}, 401, "credential"),
    "a wrong id": ("whoami/", {"Cookie": "__Host-sessionid=1.x"}, 401, "session id"),
    "an unknown id": ("whoami/", {"Cookie": f"__Host-sessionid=1.{'A' * 43}"}, 401, "record"),
    "a cookie twice": ("me/", {"Cookie": "__Host-sessionid=1; __Host-sessionid=2"}, 400, "cookies"),
    "two words": ("whoami/", {"Authorization": "Bearer a b"}, 401, "bearer"),
    "no token": ("whoami/", {"Authorization": "Bearer abc"}, 401, "text"),
}


@pytest.mark.once
@pytest.mark.parametrize("name", REFUSALS)
def test_the_check_that_refused_is_named(visit: Any, name: str) -> None:
    path, headers, status, check = REFUSALS[name]
    client = visit("jwt" if "Authorization" in headers and "Cookie" not in headers else "sessions")
    response = client.send("GET", path, headers={**ASK, **headers})
    receipt = receipt_of(response)
    assert (response.status_code, receipt["status"]) == (status, status)
    assert receipt["refused_by"] == check
    assert [each["name"] for each in receipt["checks"] if not each["passed"]][-1] == check


@pytest.mark.once
def test_a_changed_signature_is_refused_by_the_signature(visit: Any) -> None:
    client = entered(visit, "jwt")
    assert client.token is not None
    client.token = client.token[:-6] + ("AAAAAA" if client.token[-6:] != "AAAAAA" else "BBBBBB")
    receipt = receipt_of(client.send("GET", "whoami/", headers=ASK))
    assert receipt["refused_by"] == "signature"
    path = next(each["path"] for each in receipt["checks"] if each["name"] == "signature")
    assert path == "jwt/api_jws.py"


@pytest.mark.once
@pytest.mark.parametrize("key", FLOWS)
def test_a_forged_request_gets_its_receipt(visit: Any, key: str) -> None:
    client = entered(visit, key)
    client.csrf_token = "wrong"
    receipt = receipt_of(client.http.post(f"/api/{key}/refresh/", headers=ASK))
    assert (receipt["status"], receipt["refused_by"]) == (403, "csrf")


@pytest.mark.once
@pytest.mark.parametrize("key", FLOWS)
def test_a_wrong_password_and_one_too_many_get_theirs(
    visit: Any, settings: Settings, key: str
) -> None:
    settings.LOGIN_LIMIT_ACCOUNT = 1
    guesses = [{"username": "ada", "password": "no"}] * 2
    client = visit(key)
    receipts = [receipt_of(client.send("POST", "login/", each, headers=ASK)) for each in guesses]
    told = [(each["status"], each["refused_by"]) for each in receipts]
    assert told == [(401, "password"), (429, "login limit")]


@needs_redis_server
@pytest.mark.once
@pytest.mark.parametrize("outage", ["killed", "stalled"])
def test_a_redis_that_is_away_is_told_of(visit: Any, settings: Settings, outage: str) -> None:
    with private_redis(settings) as server:
        client = entered(visit, "sessions")
        with REDIS_AWAY[outage](server):
            response = client.send("GET", "whoami/", headers=ASK)
    receipt = receipt_of(response)
    told = {step["text"] for step in receipt["steps"] if step["lane"] == "redis"}
    assert (response.status_code, receipt["counts"]["redis"]) == (503, 0)
    assert len(told) == 1
    assert told.pop().startswith("(no connection: ")


@pytest.mark.once
def test_a_command_that_redis_refuses_is_told_of(visit: Any, settings: Settings) -> None:
    settings.LOGIN_LIMIT_SECONDS = 0  # which Redis refuses to be a key's lifetime
    body = {"username": "ada", "password": PASSWORD}
    response = visit("sessions").send("POST", "login/", body, headers=ASK)
    receipt = receipt_of(response)
    told = [step["text"].split()[0] for step in receipt["steps"] if step["lane"] == "redis"]
    assert told == ["MULTI", "SET", "INCRBY", "PTTL", "EXEC"]
    assert (response.status_code, receipt["refused_by"]) == (503, "login limit")


@pytest.mark.once
def test_pages_files_and_what_is_not_there_get_one(visit: Any) -> None:
    http = visit("sessions").http
    for path, status in {"/": 200, "/sessions/login/": 200, "/nothing/": 404}.items():
        receipt = receipt_of(http.get(path, headers=ASK))
        assert (receipt["status"], receipt["path"]) == (status, path)
        assert receipt["view"] is None if status == 404 else receipt["view"]["path"]


@pytest.mark.once
@pytest.mark.parametrize("key", [*FLOWS, *KEYS])
def test_no_secret_stands_on_a_receipt(visit: Any, settings: Settings, key: str) -> None:
    client = entered(visit, key)
    told, secrets = [], [PASSWORD, settings.SECRET_KEY]
    for method, path, body in (*CALLS.values(), ("GET", "devices/", None)):
        response = client.send(method, path, body, headers=ASK)
        told.append(response.headers["X-Lab-Receipt"])
        secrets += [client.token or "", client.csrf_token or "", *client.http.cookies.values()]
        secrets += [cookie.split(";")[0].partition("=")[2] for cookie in _set_cookies(response)]
    secrets += [part for each in secrets for part in re.split(r"[.:]", each)]
    secrets += [digest_of(each) for each in secrets]
    text = "\n".join(told)
    assert len(secrets) > 20
    for secret in secrets:
        for start in range(0, max(0, len(secret) - 15), 8):
            assert secret[start : start + 16] not in text


def _set_cookies(response: httpx.Response) -> list[str]:
    return response.headers.get_list("set-cookie")


@pytest.mark.once
@pytest.mark.django_db(transaction=True)  # with a commit, and what is done after it
def test_a_receipt_is_bounded_and_its_counts_are_not(visit: Any, ada: Any) -> None:
    client = entered(visit, "sessions")
    body = {"current_password": PASSWORD, "new_password": "seven-swallows-over-the-mill"}
    with measured(get_redis_connection("auth")) as cost:
        response = client.send("POST", "password/", body, headers=ASK)
    receipt = receipt_of(response)
    everything = sum(receipt["counts"].values())
    assert receipt["counts"]["redis"] == sum(cost.redis.values())
    assert receipt["left_out"] == everything - MOST_STEPS > 0
    assert len(receipt["steps"]) == MOST_STEPS
    assert len(response.headers["X-Lab-Receipt"]) < 30_000
    assert all(len(step["text"]) <= MOST_CHARACTERS for step in receipt["steps"])


@pytest.mark.once
@pytest.mark.parametrize("key", FLOWS)
def test_bytes_are_those_of_the_message(visit: Any, key: str) -> None:
    client = entered(visit, key)
    response = client.send("PATCH", "me/", {"display_name": "Åda"}, headers=ASK)
    request = response.request
    ask = len("X-Lab-Receipt: 1\r\n")
    sent = sum(len(k) + len(v) + 4 for k, v in request.headers.raw) - ask + len(request.content)
    got = sum(len(k) + len(v) + 4 for k, v in response.headers.raw if k != b"X-Lab-Receipt")
    told = receipt_of(response)["bytes"]
    assert told["in"] == len(f"PATCH /api/{key}/me/ HTTP/1.1\r\n") + sent + 2
    assert told["out"] == len("HTTP/1.1 200 OK\r\n") + got + 2 + len(response.content)


@pytest.mark.once
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("key", FLOWS)
def test_a_part_takes_no_longer_than_all_of_it(visit: Any, key: str, call: str) -> None:
    method, path, body = CALLS[call]
    receipt = receipt_of(entered(visit, key).send(method, path, body, headers=ASK))
    took, counts = receipt["microseconds"], receipt["counts"]
    assert 0 < took["authentication"] <= took["total"]
    for store in ("sql", "redis"):
        assert (took[store] > 0) == (counts[store] > 0)
        assert took[store] <= took["total"]
    for step in receipt["steps"]:
        assert 0 <= step["at"] <= step["at"] + step["took"] <= took["total"] + 1  # each is rounded


@pytest.mark.once
def test_nobody_who_did_not_ask_gets_one(visit: Any) -> None:
    client = visit("sessions")
    for headers in ({}, {"X-Lab-Receipt": "0"}):
        response = client.send("GET", "whoami/", headers=headers)
        assert "X-Lab-Receipt" not in response.headers
    assert not any(each.execute_wrappers for each in connections.all())


@pytest.mark.once
def test_without_the_lab_there_is_none(client: Any, settings: Settings) -> None:
    with pytest.raises(MiddlewareNotUsed):
        ReceiptMiddleware(lambda request: None)  # type: ignore[arg-type, return-value]
    home = client.get("/", headers=ASK)
    assert "X-Lab-Receipt" not in home.headers
    # What has flow_client.js ask for receipts, and the lab's own scripts.
    assert all(mark not in home.content for mark in (b"data-receipts", b"static/lab/"))
    assert client.get("/lab/code/?path=lab/urls.py&line=1").status_code == 404


@pytest.mark.once
def test_a_lab_that_is_switched_off_stops_telling(visit: Any, settings: Settings) -> None:
    client = visit("sessions")
    settings.LAB = False
    assert "X-Lab-Receipt" not in client.send("GET", "whoami/", headers=ASK).headers


@pytest.mark.once
def test_what_a_new_connection_says_of_itself_is_not_told(visit: Any) -> None:
    client = entered(visit, "sessions")
    client.whoami()
    get_redis_connection("auth").close()  # with those that only `mget` uses
    receipt = receipt_of(client.send("GET", "whoami/", headers=ASK))
    told = [step["text"].split()[0] for step in receipt["steps"] if step["lane"] == "redis"]
    assert told == ["MGET"]
