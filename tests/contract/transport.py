"""How does a request reach the application without a server? Through WSGI, in this thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from time import thread_time

import httpx
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import TestCase


@contextmanager
def keep_connections() -> Iterator[None]:
    """Let requests leave the test's own database connection open, as Django's test client does."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


class InProcess(httpx.WSGITransport):
    """httpx's WSGI transport, for a test that runs inside of a transaction."""

    def __init__(self) -> None:
        self.site = get_wsgi_application()
        super().__init__(app=self.site)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        # Surprise: httpx decodes the path as UTF-8 and headers as ASCII; servers pass bytes on as
        # Latin-1 (PEP 3333).
        path = request.url.path.encode().decode("latin-1")
        odd = {"PATH_INFO": path} | {
            "HTTP_" + name.decode().upper().replace("-", "_"): value.decode("latin-1")
            for name, value in request.headers.raw
            if not value.isascii()
        }
        for name in list(request.headers):
            if not request.headers[name].isascii():
                del request.headers[name]
        self.app = lambda environ, start: self.site({**environ, **odd}, start)
        # Surprise: the test's own transaction never commits, and what Django would do at commit
        # (bringing Redis up to date) would not be done.
        began = thread_time()
        with TestCase.captureOnCommitCallbacks(execute=True):
            response = super().handle_request(request)
        # How long it kept this thread at work, however busy the machine is with other things.
        response.extensions["processor_seconds"] = thread_time() - began
        return response


class InProcessAtOnce(InProcess):
    """The same for threads that ask at once: it keeps each request that it serves on itself."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return super(InProcessAtOnce, copy(self)).handle_request(request)
