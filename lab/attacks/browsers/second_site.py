"""From where does a browser attack come? From a second site, which mallory runs.

A real HTTP server. Under `http://localhost:<port>` it is another site than the one under attack,
`http://127.0.0.1:<port>`, and SameSite cookies stay away from it. Under `http://127.0.0.1:<its own
port>` it is another origin of the same site, like a sibling subdomain that somebody took over.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

MOST_BYTES = 65536


class Where(StrEnum):
    """Under which of its names the site is visited."""

    ELSEWHERE = "localhost"
    SIBLING = "127.0.0.1"


@dataclass(frozen=True)
class Caught:
    """What reached the collector: the body, and what the browser sent along by itself."""

    body: str
    referer: str
    cookies: str


@dataclass(frozen=True)
class _Page:
    html: str
    cookies: tuple[str, ...]


class SecondSite:
    """Pages that mallory writes, and a collector that notes what is sent to it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.pages: dict[str, _Page] = {}
        self.caught: dict[str, list[Caught]] = {}

    def show(self, html: str, *, cookies: tuple[str, ...] = ()) -> str:
        """A new page; its path. `cookies` are `Set-Cookie` headers that come with it."""
        path = f"/{secrets.token_hex(8)}"
        self.pages[path] = _Page(f"<!doctype html><title>A nice offer</title>{html}", cookies)
        return path

    def collector(self) -> str:
        """A new path that takes whatever is sent to it."""
        path = f"/catch-{secrets.token_hex(8)}"
        self.caught[path] = []
        return path

    def url(self, path: str, where: Where = Where.ELSEWHERE) -> str:
        return f"http://{where}:{self.port}{path}"

    def wait_for(self, path: str, seconds: float = 60) -> list[Caught]:
        """What the collector caught, once there is something, or when the time is over."""
        deadline = time.monotonic() + seconds
        while not self.caught[path] and time.monotonic() < deadline:
            time.sleep(0.02)
        return self.caught[path]


class _Handler(BaseHTTPRequestHandler):
    """Shows a page, or catches: any method, from any origin."""

    site: SecondSite
    timeout = 10

    def answer(self) -> None:
        path, _, query = self.path.partition("?")
        length = min(int(self.headers.get("Content-Length") or 0), MOST_BYTES)
        body = self.rfile.read(length).decode(errors="replace")
        if path in self.site.caught:
            told = (self.headers.get(name) or "" for name in ("Referer", "Cookie"))
            self.site.caught[path].append(Caught(body or query, *told))
            self.send("caught")
        elif path in self.site.pages:
            page = self.site.pages[path]
            self.send(page.html, page.cookies)
        else:
            self.send_error(404)

    def send(self, html: str, cookies: tuple[str, ...] = ()) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        # Its own pages may be read by anybody: what it asks of others it cannot grant itself.
        self.send_header("Access-Control-Allow-Origin", "*")
        for cookie in cookies:
            self.send_header("Set-Cookie", cookie)
        self.end_headers()
        self.wfile.write(html.encode())

    do_GET = do_POST = answer  # noqa: N815  # the names that the standard library asks for

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: what counts is in the evidence."""


@contextmanager
def second_site() -> Iterator[SecondSite]:
    """The site, on a port of its own; it ends with the block."""

    class Handler(_Handler):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Handler.site = site = SecondSite(server.server_port)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
