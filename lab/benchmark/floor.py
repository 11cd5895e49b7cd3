"""How much does the check of a credential cost beside a request that checks nothing?

In one process, microseconds per request and multiples of the floor: the same view behind the same
middleware, with no authentication. Nothing else is in the way, no socket and no other worker, so
that a microsecond can be seen. `manage.py floor` measures both flows by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings
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
from lab.benchmark.in_process import Measured, Subject, answer, get
from lab.benchmark.rows import Row
from lab.benchmark.subjects import FLOOR
from lab.simulated import refuse_simulated_redis


class FloorView(WhoamiView):
    """`whoami` for a visitor whom nobody asked who they are. Measures; on no site of anybody's."""

    permission_classes = [AllowAny]

    def get_authenticators(self) -> list[BaseAuthentication]:
        return []

    def presented(self) -> Presented:
        return Presented(flow=FLOOR, user_id=1, epoch=1, device="AAAAAAAAAAA", roles=())


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
def warmed_up(subjects: Sequence[Subject]) -> Iterator[Counted]:
    """The application with the floor mounted, after some requests of each subject."""
    refuse_simulated_redis()
    application = get_internal_wsgi_application()
    measured = Counted(application, [of_floor(), *subjects])
    with override_settings(ROOT_URLCONF=_with(at_one_place(measured.subjects))):
        measured.warm_up()
        yield measured


def of_floor() -> Subject:
    return Subject(FLOOR, get(f"/api/{FLOOR}/whoami/"), FloorView.as_view())


def mount() -> None:
    """For good: for a site that is there to be measured, and for nobody else."""
    settings.ROOT_URLCONF = _with(at_one_place([of_floor()]))


def at_one_place(subjects: Sequence[Subject]) -> URLPattern:
    """One pattern for all of them: in a list, each would pay for those that stand before it."""
    views = {subject.name: subject.view for subject in subjects if subject.view}

    @csrf_exempt  # as each of these views is
    def dispatch(request: HttpRequest, name: str) -> HttpResponseBase:
        return views[name](request)

    names = "|".join(map(re.escape, views))
    return re_path(rf"^api/(?P<name>{names})/whoami/$", dispatch)


class Counted(Measured):
    """They are counted as well."""

    def counts(self) -> list[Row]:
        rows = []
        for subject in self.subjects:
            with counted(_redis()) as cost:
                answer(self.application, subject.environ())
            redis = sum(cost.redis.values())
            rows.append(Row("sql_statements", subject.name, "statements", [len(cost.sql)]))
            rows.append(Row("redis_commands", subject.name, "commands", [redis]))
        return rows


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
