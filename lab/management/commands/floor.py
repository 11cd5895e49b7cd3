"""How far above the floor is each strategy? Logs in by every one, and measures its `whoami`."""

import cProfile
import io
import pstats
import secrets
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.core.servers.basehttp import get_internal_wsgi_application
from django.db import DatabaseError

from accounts.client import FlowClient
from accounts.contract.flow import Flow
from accounts.contract.registry import flows
from accounts.contract.views import WhoamiView
from accounts.models import User
from lab.benchmark.floor import figures, mounted, warmed_up
from lab.benchmark.in_process import BROWSER, NotAnswered, Subject, get
from lab.simulated import Simulated
from lab.strategies import STRATEGIES

SITE = "http://127.0.0.1"


class Command(BaseCommand):
    help = (
        "Measure GET whoami/ of each strategy, in this process, as a multiple of the same view "
        "without authentication. It uses the database and the Redis of the settings, makes a user "
        "and deletes it again. Nobody else may use that Redis meanwhile, or the counts are of both."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repetitions", type=int, default=7)
        parser.add_argument("--profile", metavar="SUBJECT", help="profile this one instead")

    def handle(self, *args: Any, repetitions: int, profile: str | None, **options: Any) -> None:
        get_internal_wsgi_application()  # starts Redis where it is ours to start
        try:
            with strategies() as subjects:
                if profile:
                    self.profile(profile, subjects)
                    return
                for row in figures(subjects, repetitions=repetitions):
                    low, high = row.spread
                    spread = f"   {low:g} to {high:g}" if high > low else ""
                    self.stdout.write(f"{row.subject:16} {row.measure:14} {row.median:g}{spread}")
        except (Simulated, NotAnswered) as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            words = f"Nothing could be measured: {error}. Is it migrated (manage.py migrate)?"
            raise CommandError(words) from error

    def profile(self, name: str, subjects: list[Subject]) -> None:
        """Where does the time of one subject go? By cProfile, which slows small functions most."""
        with warmed_up(subjects) as measured:
            named = {subject.name: subject for subject in measured.subjects}
            if name not in named:
                raise CommandError(f"There is no {name}; there are {', '.join(named)}.")
            profiler = cProfile.Profile()
            profiler.runcall(measured.block, named[name], 2000)
        report = io.StringIO()
        pstats.Stats(profiler, stream=report).sort_stats("cumtime").print_stats()
        self.stdout.write(report.getvalue())


@contextmanager
def strategies() -> Iterator[list[Subject]]:
    """Each row of the comparison, mounted and logged in."""
    rows = [row.flow for row in STRATEGIES]
    with mounted(rows), logged_in(rows) as subjects:
        yield subjects


@contextmanager
def logged_in(by: Sequence[Flow] = ()) -> Iterator[list[Subject]]:
    """A user of our own, for a while, logged in by these flows, or by those of the site."""
    password = secrets.token_urlsafe(16)
    username = f"floor-{secrets.token_hex(4)}"
    user = User.objects.create_user(username, password=password)
    try:
        yield [subject_of(flow, username, password) for flow in by or flows()]
    finally:
        user.delete()


def subject_of(flow: Flow, username: str, password: str) -> Subject:
    application = get_internal_wsgi_application()
    client = FlowClient(
        SITE,
        flow.key,
        transport=httpx.WSGITransport(app=application),
        headers={"User-Agent": BROWSER},
    )
    client.login(username, password)
    address = f"/api/{flow.key}/whoami/"
    return Subject(flow.key, get(address, **sent_by(client)), WhoamiView.as_view(flow=flow))


def sent_by(client: FlowClient) -> dict[str, str]:
    """The credential, and nothing else: what all visitors have, the floor's has not either."""
    if client.token:
        return {"HTTP_AUTHORIZATION": f"Bearer {client.token}"}
    of_visitors = (settings.CSRF_COOKIE_NAME, settings.KNOWN_DEVICE_COOKIE_NAME)
    cookies = [each for each in client.http.cookies.jar if each.name not in of_visitors]
    return {"HTTP_COOKIE": "; ".join(f"{each.name}={each.value}" for each in cookies)}
