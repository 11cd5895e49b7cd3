"""How long does a request wait for an answer of PostgreSQL? Commands wait as long as it takes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import connection
from django.http import HttpRequest, HttpResponseBase


@dataclass
class Patience:
    """What a request has left: so many seconds for each wait, until one of them was in vain."""

    seconds: float
    is_over: bool = False


_patience: ContextVar[Patience | None] = ContextVar("patience", default=None)


def left() -> Patience | None:
    """Return None where nobody waits for us: a migration may well take minutes."""
    return _patience.get()


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    token = _patience.set(Patience(seconds))
    try:
        yield
    finally:
        _patience.reset(token)


class PatienceMiddleware:
    """Bounds what the request below it waits for PostgreSQL. SQLite is in no other process."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if connection.vendor != "postgresql":
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # A little longer than for a lock: who waits for one is to hear that it was one.
        with patience(1.05 * settings.DATABASE_TIMEOUT_SECONDS):
            return self.get_response(request)
