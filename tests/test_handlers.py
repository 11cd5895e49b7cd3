"""Can a charset of the sender's choice break what `wsgi.py` and `asgi.py` serve?"""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from authdemo.handlers import Utf8ASGIHandler, Utf8WSGIHandler
from tests.contract.transport import keep_connections

pytestmark = [pytest.mark.django_db, pytest.mark.once]

CHARSETS = ["zlib", "hex", "rot13", "idna", "undefined", "utf-16", "utf-7", "no-such-charset"]
PART = b'--X\r\nContent-Disposition: form-data; name="username"\r\n\r\n\xff\r\n--X--\r\n'
BODIES: dict[str, tuple[str, str, bytes]] = {
    "a page with a query": ("GET", "text/html", b""),
    "a form": ("POST", "application/x-www-form-urlencoded", b"username=%ff&password=x"),
    "a multipart form": ("POST", "multipart/form-data; boundary=X", PART),
    "JSON": ("POST", "application/json", b'{"username": "\xff"}'),
}
PATHS = ["/sessions/login/?next=/admin/", "/jwt/login/?next=x", "/api/jwt/login/?x=1", "/?x=%ff"]


@pytest.fixture
def visitor() -> Iterator[httpx.Client]:
    """A browser with a CSRF cookie, so that the CSRF check reads the form."""
    transport = httpx.WSGITransport(app=Utf8WSGIHandler())
    headers = {"Cookie": f"__Host-csrftoken={'x' * 32}"}
    with (
        keep_connections(),
        httpx.Client(base_url="http://127.0.0.1", transport=transport, headers=headers) as client,
    ):
        yield client


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize(("method", "content_type", "body"), BODIES.values(), ids=BODIES)
def test_a_charset_of_the_senders_choice_breaks_nothing(
    visitor: httpx.Client, method: str, content_type: str, body: bytes, charset: str
) -> None:
    headers = {"Content-Type": f"{content_type}; charset={charset}"}
    for path in PATHS:
        answer = visitor.request(method, path, content=body, headers=headers)
        assert answer.status_code < 500, path


def test_a_charset_breaks_nothing_over_asgi_either() -> None:
    transport = httpx.ASGITransport(app=Utf8ASGIHandler())  # type: ignore[arg-type]

    async def ask() -> int:
        async with httpx.AsyncClient(base_url="http://127.0.0.1", transport=transport) as client:
            headers = {"Content-Type": "text/html; charset=zlib"}
            return (await client.get("/healthz?x=1", headers=headers)).status_code

    assert asyncio.run(ask()) == 200
