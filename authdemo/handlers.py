"""In which charset is a request read? In UTF-8, whatever its sender says.

Threat: Python counts zlib, idna and others among its charsets. A request that names one of them in
its `Content-Type`, and has a query string or a multipart form, is a 500 in Django; mostly before
its first middleware, so that nothing further in can prevent it.
"""

from typing import Any

from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest


class Utf8Request(HttpRequest):
    """A request that does not take the sender's charset."""

    @property
    def encoding(self) -> Any:
        return None  # Django reads that as `DEFAULT_CHARSET`.

    @encoding.setter
    def encoding(self, value: Any) -> None:
        pass


class Utf8WSGIRequest(Utf8Request, WSGIRequest):
    """For `wsgi.py`."""


class Utf8ASGIRequest(Utf8Request, ASGIRequest):
    """For `asgi.py`."""


class Utf8WSGIHandler(WSGIHandler):
    request_class = Utf8WSGIRequest


class Utf8ASGIHandler(ASGIHandler):
    request_class = Utf8ASGIRequest
