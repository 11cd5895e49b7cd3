"""Which of two cookies of one name counts? None: a request with both is refused. (A51, R76)

Threat: Django keeps the last one. A sibling subdomain, or a proxy, that can put a second
cookie beside the victim's would choose the login under which the victim works.
"""

from collections.abc import Callable

import httpx
import pytest

from accounts.client import FlowClient
from lab.differences import difference
from tests.contract.answers import assert_logged_in, assert_refused, secret_of
from tests.contract.calls import CALLS, Call
from tests.contract.people import Enter, Person

pytestmark = pytest.mark.once

# The name as the sibling writes it, beside the real one. White space of Unicode is no part of
# `__Host-` to a browser, which therefore lets it pass, and Django strips it.
NAMES = {
    "the same name": "{name}",
    "a space behind it": "{name} ",
    "an en quad before it": "\u2000{name}",
    "a no-break space behind it": "{name}\u00a0",
    "a line separator before it": "\u2028{name}",
}
ORDERS: dict[str, Callable[[str, str], str]] = {
    "real one first": "{0}; {1}".format,
    "tossed one first": "{1}; {0}".format,
}


def sending(client: FlowClient, header: str) -> FlowClient:
    """From now on this very Cookie header is sent, instead of what the jar holds."""
    client.http.headers = httpx.Headers({"Cookie": header}, encoding="utf-8")
    return client


def cookies_of(client: FlowClient) -> dict[str, str]:
    client.fetch_csrf_token()
    return {cookie.name: cookie.value or "" for cookie in client.http.cookies.jar}


def header_of(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("written", NAMES.values(), ids=NAMES)
def test_a_tossed_cookie_chooses_nobodys_login(
    enter: Enter, ada: Person, mallory: Person, flow: str, written: str, order: Callable
) -> None:
    victim, attacker = enter(ada), enter(mallory)
    name = str(difference("cookie_name", flow))
    tossed = f"{written.format(name=name)}={secret_of(attacker)}"
    real = cookies_of(victim)
    both = sending(victim, order(header_of(real), tossed))
    assert_refused(both.send("POST", "refresh/"), 400, "invalid")
    assert_refused(both.send("GET", "me/"), 400, "invalid")
    # Nothing was read and nothing was rotated: both go on as who they are.
    assert sending(victim, header_of(real)).refresh()
    assert victim.me()["username"] == ada.username
    attacker.refresh()


@pytest.mark.parametrize("written", [n for n in NAMES.values() if not n.isascii()])
def test_a_cookie_in_disguise_is_refused_alone(
    enter: Enter, guest: FlowClient, mallory: Person, flow: str, written: str
) -> None:
    """Threat: who is not logged in yet has no real cookie, and would work in mallory's account."""
    name = str(difference("cookie_name", flow))
    attacker = enter(mallory)
    sending(guest, f"{written.format(name=name)}={secret_of(attacker)}")
    assert_refused(guest.send("GET", "whoami/", headers={"X-CSRFToken": ""}), 400, "invalid")


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_a_tossed_csrf_cookie_forges_nothing(
    enter: Enter, guest: FlowClient, ada: Person, order: Callable
) -> None:
    """Threat: who chooses the CSRF cookie knows the token that fits it."""
    victim = enter(ada)
    real, forged = cookies_of(victim), guest.fetch_csrf_token()
    tossed = next(cookie for cookie in guest.http.cookies.jar if "csrf" in cookie.name)
    both = sending(victim, order(header_of(real), f"{tossed.name}={tossed.value}"))
    response = both.send("POST", "logout/", headers={"X-CSRFToken": forged})
    assert_refused(response, 400, "invalid")
    assert_logged_in(sending(victim, header_of(real)))


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_every_call_refuses_it(enter: Enter, ada: Person, flow: str, call: Call) -> None:
    client = enter(ada)
    device, real = client.whoami()["device"], cookies_of(client)
    name = str(difference("cookie_name", flow))
    both = sending(client, header_of(real) + f"; {name}={real[name]}")
    response = call.send(both, ada, device=device)
    assert_refused(response, 400, "invalid")
    assert "Delete the cookies" in response.json()["detail"]
    assert "set-cookie" not in response.headers
    assert_logged_in(sending(client, header_of(real)))


@pytest.mark.parametrize("shown", ["login", "profile", "devices", "logout"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_page_says_what_to_do(
    enter: Enter, ada: Person, flow: str, shown: str, method: str
) -> None:
    client = enter(ada)
    name = str(difference("cookie_name", flow))
    twice = f"{name}={secret_of(client)}; {name}=x"
    response = client.http.request(method, f"/{flow}/{shown}/", headers={"Cookie": twice})
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("text/html")
    assert "Delete the cookies" in response.text
    assert "no-store" in response.headers["cache-control"]
    assert secret_of(client) not in response.text


def test_cookies_of_others_may_come_twice(enter: Enter, ada: Person, flow: str) -> None:
    """Statistics scripts set such cookies; they are not ours to judge."""
    client = enter(ada)
    name = str(difference("cookie_name", flow))
    others = f"_ga=1; _ga=2; my{name}=1; my{name}=2; \u2000_ga=3; ; ;"
    sending(client, f"{header_of(cookies_of(client))}; {others}")
    assert client.refresh()
