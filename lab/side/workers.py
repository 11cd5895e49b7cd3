"""How is every worker process asked, behind one address? By a connection to each of them.

A worker keeps the connections that it has accepted, so that what is asked on one is answered by
the same process. Which one that is it says at `/lab/side/worker/`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from httpx import TransportError

AT_ONCE = 16
QUIET_ROUNDS = 20  # with the pauses a second: one that is just being started is found as well
PAUSE_SECONDS = 0.05


class Unreachable(Exception):
    """Raised when this server does not answer itself; the message is a sentence for the visitor."""


@contextmanager
def answering(address: str) -> Iterator[None]:
    """Say `Unreachable` where nobody answers, or hangs up: a worker may end at any time."""
    try:
        yield
    except (OSError, HTTPException, TransportError) as error:
        raise Unreachable(
            f"This server does not answer itself at {address}, or a worker of it has just ended. "
            "Try again."
        ) from error


class Worker:
    """One worker process, over a connection that only it answers."""

    def __init__(self, address: str) -> None:
        self.connection = HTTPConnection(address, timeout=10)
        self.pid = 0

    def get(self, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        self.connection.request("GET", path, headers=dict(headers))
        return self.answer()

    def answer(self) -> tuple[int, dict[str, Any]]:
        response = self.connection.getresponse()
        return response.status, json.loads(response.read() or b"{}")


def address_of(request: HttpRequest) -> str:
    """Where this server listens, by its own word and not by what a visitor sends."""
    name, port = request.META["SERVER_NAME"], request.META["SERVER_PORT"]
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


@contextmanager
def each_worker(address: str, path: str) -> Iterator[list[Worker]]:
    """A connection to each worker that is found, in the order of their process ids.

    How many there are, only their master knows: it is asked until nobody new answers.
    """
    with ExitStack() as stack:
        try:
            with answering(address):
                found = _found(address, path, stack)
        except (ValueError, KeyError) as error:
            raise Unreachable(f"Something else than this server answers at {address}.") from error
        yield sorted(found.values(), key=lambda worker: worker.pid)


def _found(address: str, path: str, stack: ExitStack) -> dict[int, Worker]:
    found: dict[int, Worker] = {}
    quiet = 0
    while quiet < QUIET_ROUNDS and len(found) < settings.WEB_WORKERS:
        before = len(found)
        # Many at once: an idle machine gives single ones to the same worker, again and again.
        candidates = [Worker(address) for _ in range(AT_ONCE)]
        for candidate in candidates:
            stack.callback(candidate.connection.close)
            candidate.connection.request("GET", path)
        for worker in found.values():
            worker.get(path, {})  # it closes what is idle, and this may take seconds
        for candidate in candidates:
            candidate.pid = candidate.answer()[1]["pid"]
            found.setdefault(candidate.pid, candidate)
        for candidate in candidates:
            if found[candidate.pid] is not candidate:
                candidate.connection.close()
        quiet = quiet + 1 if len(found) == before else 0
        if quiet:
            time.sleep(PAUSE_SECONDS)
    return found
