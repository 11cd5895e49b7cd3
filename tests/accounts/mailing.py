"""How does a test come by an e-mailed link, and use it? By the last mail, and by the pages."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.core import mail
from django.test import Client

ADDRESS = "noor@example.org"
PASSWORD = "seven-swallows-over-the-mill"
LINK = re.compile(r"https?://\S+/link/\?token=\S+")


def link() -> str:
    """Path and query of the link in the newest mail."""
    (found,) = LINK.findall(str(mail.outbox[-1].body))
    parts = urlsplit(found)
    return f"{parts.path}?{parts.query}"


def token_of(link: str) -> str:
    return parse_qs(urlsplit(link).query)["token"][0]


def ask(client: Client, flow: str, page: str, address: str = ADDRESS) -> Any:
    return client.post(f"/{flow}/{page}/", {"address": address})


def link_to(flow: str, page: str, address: str = ADDRESS) -> str:
    """The link that somebody gets who asks for it on that page, `signup` or `reset`."""
    answer = ask(Client(), flow, page, address)
    assert answer.status_code == 200, answer.content
    return link()


def use(client: Client, link: str, **fields: str) -> Any:
    """Press the button behind the link."""
    values = {"token": token_of(link), "new_password": PASSWORD, **fields}
    return client.post(urlsplit(link).path, values)
