"""How much does the check of a credential cost beside a request that checks nothing?

In one process, microseconds per request and multiples of the floor: the same view behind the same
middleware, with no authentication. Nothing else is in the way, no socket and no other worker, so
that a microsecond can be seen. `manage.py floor` measures both flows by it.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from statistics import median
from typing import Any
from wsgiref.util import setup_testing_defaults

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.servers.basehttp import get_internal_wsgi_application
from django.http import HttpRequest, HttpResponseBase
from django.test.utils import override_settings
from django.urls import URLPattern, include, path, re_path
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt
from django_redis import get_redis_connection
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny

from accounts.contract.flow import Flow, Presented
from accounts.contract.urls import contract_urls
from accounts.contract.views import WhoamiView
from lab.benchmark.costs import measured as counted
from lab.benchmark.rows import Row
from lab.simulated import refuse_simulated_redis

Environ = dict[str, Any]
View = Callable[[HttpRequest], HttpResponseBase]
FLOOR = "floor"
BLOCK = (
    5  # requests in a row of one subject: short, so that most are over before they are preempted
)
WARM_UP = 200  # requests of each subject
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


class FloorView(WhoamiView):
    """`whoami` for a visitor whom nobody asked who they are. Measures; never mounted on a site."""

    permission_classes = [AllowAny]

    def get_authenticators(self) -> list[BaseAuthentication]:
        return []

    def presented(self) -> Presented:
        return Presented(flow=FLOOR, user_id=1, epoch=1, device="AAAAAAAAAAA", roles=())


@dataclass(frozen=True)
class Subject:
    """Whose request is measured. `environ` makes the WSGI environ of the next one.

    `view` answers it, at `/api/<name>/whoami/`; None: whatever the site has at that address.
    `application` is the site, if it is another one.
    """

    name: str
    environ: Callable[[], Environ]
    view: View | None = None
    application: Any = None


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


def figures(subjects: Sequence[Subject], *, repetitions: int = 7, rounds: int = 100) -> list[Row]:
    """Time and count the subjects and the floor; a row of each measure for each subject.

    In each round every subject gets one block, in an order drawn anew, so that drift hits all
    alike. A repetition's figure is the median of its rounds' blocks. Raises `Simulated`, and
    `NotAnswered` for an answer that is not 200.
    """
    with warmed_up(subjects) as measured:
        for _ in range(repetitions):
            measured.repeat(rounds)
        return measured.rows() + measured.counts()


@contextmanager
def warmed_up(subjects: Sequence[Subject]) -> Iterator[Measured]:
    """The application with the floor mounted, after some requests of each subject."""
    refuse_simulated_redis()
    application = get_internal_wsgi_application()
    floor = Subject(FLOOR, get(f"/api/{FLOOR}/whoami/"), FloorView.as_view())
    measured = Measured(application, [floor, *subjects])
    with override_settings(ROOT_URLCONF=_with(at_one_place(measured.subjects))):
        for subject in measured.subjects:
            measured.block(subject, WARM_UP)
        yield measured


def at_one_place(subjects: Sequence[Subject]) -> URLPattern:
    """One pattern for all of them: in a list, each would pay for those that stand before it."""
    views = {subject.name: subject.view for subject in subjects if subject.view}

    @csrf_exempt  # as each of these views is
    def dispatch(request: HttpRequest, name: str) -> HttpResponseBase:
        return views[name](request)

    names = "|".join(map(re.escape, views))
    return re_path(rf"^api/(?P<name>{names})/whoami/$", dispatch)


class Measured:
    """The subjects, the application that answers them, and what was measured so far."""

    def __init__(self, application: Any, subjects: Sequence[Subject]) -> None:
        self.application = application
        self.subjects = subjects
        self.microseconds: dict[str, list[float]] = {each.name: [] for each in subjects}

    def block(self, subject: Subject, requests: int = BLOCK) -> float:
        """Microseconds per request. What makes the environs is not timed."""
        environs = [subject.environ() for _ in range(requests)]
        application = subject.application or self.application
        began = time.perf_counter_ns()
        for environ in environs:
            answer(application, environ)
        return (time.perf_counter_ns() - began) / requests / 1000

    def repeat(self, rounds: int) -> None:
        blocks: dict[str, list[float]] = {name: [] for name in self.microseconds}
        for _ in range(rounds):
            for subject in random.sample(self.subjects, len(self.subjects)):
                blocks[subject.name].append(self.block(subject))
        for name, times in blocks.items():
            self.microseconds[name].append(median(times))

    def rows(self) -> list[Row]:
        floor = self.microseconds[FLOOR]
        times = [Row("microseconds", name, "µs", each) for name, each in self.microseconds.items()]
        ratios = [
            Row("times_floor", name, "times", [a / b for a, b in zip(each, floor, strict=True)])
            for name, each in self.microseconds.items()
        ]
        return times + ratios

    def counts(self) -> list[Row]:
        rows = []
        for subject in self.subjects:
            with counted(_redis()) as cost:
                answer(subject.application or self.application, subject.environ())
            redis = sum(cost.redis.values())
            rows.append(Row("sql_statements", subject.name, "statements", [len(cost.sql)]))
            rows.append(Row("redis_commands", subject.name, "commands", [redis]))
        return rows


def answer(application: Any, environ: Environ) -> bytes:
    """One request, as a server handles it: the answer is read, and closed."""
    said: list[str] = []
    response = application(environ, lambda status, headers: said.append(status))
    body = b"".join(response)
    response.close()
    if said != ["200 OK"]:
        raise NotAnswered(f"{environ['PATH_INFO']}: {said} {body[:200]!r}")
    return body


def without_the_lab() -> Subject:
    """The floor of the same site with LAB=0: what nobody asks for there, receipts above all."""
    name = "floor, LAB=0"
    with override_settings(LAB=False):
        application = WSGIHandler()  # which has the middleware of the settings as they are now
    return Subject(name, get(f"/api/{FLOOR}/whoami/"), application=application)


def _redis() -> Any:
    return get_redis_connection(settings.SESSION_CACHE_ALIAS)


@contextmanager
def mounted(flows: Sequence[Flow]) -> Iterator[None]:
    """Flows that the site has elsewhere, or not at all, at `/api/<key>/`: where the others are."""
    urls = (path(f"api/{flow.key}/", include((contract_urls(flow), flow.key))) for flow in flows)
    with override_settings(ROOT_URLCONF=_with(*urls)):
        yield


def _with(*urls: Any) -> tuple[Any, ...]:
    """The site's URLs and these, found just before any other call of the API."""
    given: Any = settings.ROOT_URLCONF
    site = given if isinstance(given, tuple) else tuple(import_string(f"{given}.urlpatterns"))
    first = next(n for n, each in enumerate(site) if str(each.pattern).startswith("api/"))
    return (*site[:first], *urls, *site[first:])
