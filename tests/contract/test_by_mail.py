"""What does an e-mailed link begin, and end, in each flow? Seen with the contract's own client."""

import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.core import mail

from accounts.client import FlowClient
from lab.differences import difference
from tests.contract.answers import assert_refused
from tests.contract.people import NEW_PASSWORD, Enter, Person, Visit

pytestmark = pytest.mark.inside("reads the mail")

ADDRESS = "noor@example.org"


def send_form(client: FlowClient, path: str, **fields: str) -> httpx.Response:
    """Fill in the form of a page, and follow where it leads."""
    page = client.http.get(path)
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
    assert token, page.text
    values = {"csrfmiddlewaretoken": token[1], **fields}
    return client.http.post(urlsplit(path).path, data=values, follow_redirects=True)


def link_to(client: FlowClient, page: str, address: str) -> str:
    send_form(client, f"/{client.flow}/{page}/", address=address)
    return newest_link()


def newest_link() -> str:
    found = re.search(r"https?://[^/]+(/\S+/link/\?\S+)", str(mail.outbox[-1].body))
    assert found, mail.outbox[-1].body
    return found[1]


def use(client: FlowClient, link: str) -> httpx.Response:
    token = parse_qs(urlsplit(link).query)["token"][0]
    return send_form(client, link, token=token, new_password=NEW_PASSWORD)


def test_a_sign_up_link_begins_a_login_of_its_flow(
    visit: Visit, flow: str, other_flow: str
) -> None:
    """F18: in the browser that opened the link, wherever it was asked for."""
    there = link_to(visit(flow), "signup", ADDRESS)
    client = visit(flow)
    use(client, there)
    client.refresh()
    assert client.me()["email"] == ADDRESS
    assert [device["flow"] for device in client.devices()] == [flow]
    stranger = visit(other_flow)
    stranger.http.cookies = client.http.cookies
    assert stranger.send("POST", "refresh/").status_code == 401


def test_a_new_password_by_mail_ends_every_login_in_both_flows(
    visit: Visit, enter: Enter, ada: Person, flow: str, other_flow: str
) -> None:
    """F22, R68."""
    here, there = enter(ada), enter(ada, other_flow)
    use(visit(flow), link_to(visit(flow), "reset", f"{ada.username}@example.org"))
    for client in (here, there):
        assert_refused(client.send("POST", "refresh/"), 401, "credential_revoked")
        assert client.send("GET", "me/").status_code == 401
    assert visit(other_flow).login(ada.username, NEW_PASSWORD)


@pytest.mark.parametrize("page", ["signup", "reset"])
def test_a_link_of_another_user_than_the_one_who_is_logged_in(
    visit: Visit, enter: Enter, ada: Person, grace: Person, flow: str, page: str
) -> None:
    """Threat: mallory sends ada a link of hers, and ada goes on working in her account."""
    address = {"signup": ADDRESS, "reset": f"{grace.username}@example.org"}[page]
    there, client = link_to(visit(flow), page, address), enter(ada)
    answer = client.http.get(there)
    refused = "another account than the one you are logged in with" in answer.text
    assert refused == (difference("link_of_another_user", flow) == "refused")
    assert answer.status_code == (400 if refused else 200)
    assert visit(flow).http.get(there).status_code == 200, "and it is good for its owner"
