"""What stands beside the flows? The CSRF token, the public keys, the schema."""

from typing import Any

import pytest

from accounts.client import FlowClient
from lab.differences import difference
from tests.contract.answers import set_cookies
from tests.contract.calls import CALLS, Call
from tests.contract.people import Enter, Person

pytestmark = pytest.mark.once


def test_the_csrf_token_is_masked_anew_each_time(guest: FlowClient, site: str) -> None:
    """Threat: BREACH. The same token in every compressed answer could be guessed bit by bit."""
    first, second = (guest.http.get("/api/csrf/") for _ in range(2))
    assert first.json().keys() == {"csrf_token"}
    assert first.json() != second.json()
    assert "no-store" in first.headers["cache-control"]
    assert any("csrf" in name for name in set_cookies(first))


def test_a_csrf_token_is_given_to_everybody(enter: Enter, ada: Person) -> None:
    headers = {"Authorization": "Bearer nonsense"}
    assert enter(ada).http.get("/api/csrf/", headers=headers).status_code == 200


def test_the_public_keys_are_public_and_nothing_else(guest: FlowClient, site: str) -> None:
    response = guest.http.get("/.well-known/jwks.json")
    assert response.headers["content-type"] == "application/jwk-set+json"
    assert "public" in response.headers["cache-control"]
    assert "set-cookie" not in response.headers
    keys = response.json()["keys"]
    assert keys
    for key in keys:
        assert {"kid", "kty", "alg", "use"} <= key.keys()
        # RFC 7518, section 6: the members of private keys.
        assert not key.keys() & {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}


@pytest.fixture
def schema(guest: FlowClient, site: str) -> dict[str, Any]:
    return guest.http.get("/api/schema/?format=json").raise_for_status().json()


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_the_schema_knows_every_call(schema: dict[str, Any], flow: str, call: Call) -> None:
    operation = schema["paths"][f"/api/{flow}/{call.path}"][call.method.lower()]
    answers = operation["responses"]
    assert str(call.success) in answers
    assert {"400", "405", "406", "503"} <= answers.keys()
    assert ("429" in answers) == (call.name in ("login", "password"))
    checked = call.method != "GET" and (call.by_cookie or difference("csrf_on_bearer_calls", flow))
    assert ("403" in answers) == checked
    assert any("csrf" in needed for needed in operation["security"]) == checked
    for refusal in (answer for status, answer in answers.items() if status >= "400"):
        reference = refusal["content"]["application/json"]["schema"]["$ref"]
        error = schema["components"]["schemas"][reference.rpartition("/")[2]]
        assert set(error["required"]) == {"detail", "code"}
    assert "WWW-Authenticate" in answers.get("401", {"headers": "WWW-Authenticate"})["headers"]
    assert "Retry-After" in answers["503"]["headers"]


def test_the_schema_is_the_same_for_every_flow(
    schema: dict[str, Any], flow: str, other_flow: str
) -> None:
    def calls(key: str) -> dict[str, set[str]]:
        prefix = f"/api/{key}/"
        return {
            path.removeprefix(prefix): set(methods)
            for path, methods in schema["paths"].items()
            if path.startswith(prefix)
        }

    def common(key: str) -> dict[str, set[str]]:
        own = difference("calls_of_its_own", key)
        assert isinstance(own, tuple)
        assert calls(key).keys() >= set(own)
        return {path: methods for path, methods in calls(key).items() if path not in own}

    assert common(flow) == common(other_flow)
