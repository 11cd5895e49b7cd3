"""How long does a request take where nothing else is in the way, no socket and no other worker?

A WSGI application is called in this process, in blocks of one subject after another, so that a
microsecond can be seen. Nothing here is this project's alone: the peers' is measured by it too.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from statistics import median
from typing import Any
from wsgiref.util import setup_testing_defaults

from django.http import HttpRequest, HttpResponseBase

from lab.benchmark.rows import Row

Environ = dict[str, Any]
View = Callable[[HttpRequest], HttpResponseBase]
# Requests in a row of one subject: few, so that most are over before they are preempted.
BLOCK = 5
WARM_UP = 200  # requests of each subject
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass(frozen=True)
class Subject:
    """Whose request is measured. `environ` makes the WSGI environ of the next one.

    `view` answers it, at `/api/<name>/whoami/`; None: whatever the site has at that address.
    """

    name: str
    environ: Callable[[], Environ]
    view: View | None = None


class NotAnswered(Exception):
    """Raised when a subject's request was refused: the figure would be that of a refusal."""


def get(address: str, **headers: str) -> Callable[[], Environ]:
    """Makes `GET address` as `BROWSER` would send it; headers by WSGI name: `HTTP_COOKIE`.

    A credential that another browser or address logged in with costs more: its use is judged.
    """
    browser = {
        "HTTP_HOST": "127.0.0.1",
        "HTTP_ACCEPT": "application/json",
        "HTTP_USER_AGENT": BROWSER,
        "REMOTE_ADDR": "127.0.0.1",
    }

    def environ() -> Environ:
        made: Environ = {**browser, "PATH_INFO": address, "QUERY_STRING": "", **headers}
        made["wsgi.input"] = BytesIO()
        setup_testing_defaults(made)
        return made

    return environ


class Measured:
    """The subjects, the application that answers them, and what was measured so far.

    The first of the subjects is the floor.
    """

    def __init__(self, application: Any, subjects: Sequence[Subject]) -> None:
        self.application = application
        self.subjects = subjects
        self.microseconds: dict[str, list[float]] = {each.name: [] for each in subjects}

    def block(self, subject: Subject, requests: int = BLOCK) -> float:
        """Microseconds per request. What makes the environs is not timed."""
        environs = [subject.environ() for _ in range(requests)]
        began = time.perf_counter_ns()
        for environ in environs:
            answer(self.application, environ)
        return (time.perf_counter_ns() - began) / requests / 1000

    def warm_up(self) -> None:
        for subject in self.subjects:
            self.block(subject, WARM_UP)

    def repeat(self, rounds: int) -> None:
        blocks: dict[str, list[float]] = {name: [] for name in self.microseconds}
        for _ in range(rounds):
            for subject in random.sample(self.subjects, len(self.subjects)):
                blocks[subject.name].append(self.block(subject))
        for name, times in blocks.items():
            self.microseconds[name].append(median(times))

    def rows(self) -> list[Row]:
        floor = self.microseconds[self.subjects[0].name]
        times = [Row("microseconds", name, "µs", each) for name, each in self.microseconds.items()]
        ratios = [
            Row("times_floor", name, "times", [a / b for a, b in zip(each, floor, strict=True)])
            for name, each in self.microseconds.items()
        ]
        return times + ratios


def answer(application: Any, environ: Environ) -> bytes:
    """One request, as a server handles it: the answer is read, and closed."""
    said: list[str] = []
    response = application(environ, lambda status, headers: said.append(status))
    body = b"".join(response)
    response.close()
    if said != ["200 OK"]:
        raise NotAnswered(f"{environ['PATH_INFO']}: {said} {body[:200]!r}")
    return body
