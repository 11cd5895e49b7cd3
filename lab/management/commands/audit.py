"""Is this deployment, or another one, as safe as it says? Twelve points, each with its evidence."""

from __future__ import annotations

import getpass
import logging
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from redis.exceptions import RedisError
from rich.console import Console
from rich.markup import escape

from accounts.contract.errors import ContractError
from accounts.contract.registry import flows
from lab.audit import points
from lab.audit.point import Result, Status
from lab.audit.report import Report, audit, encode, keep
from lab.audit.scene import NoAnswer, Person, Scene
from lab.audit.server import CannotStart, scene_of_this_deployment

COLORS = {
    Status.PASS: "green",
    Status.FAIL: "bold red",
    Status.PARTLY: "yellow",
    Status.UNSEEN: "yellow",
}


class Command(BaseCommand):
    help = (
        "Audit this deployment from inside, by one more server of it and a user that goes again; "
        "or with --url another one, as far as it can be seen from outside. Exits with 0 if nothing "
        "fails, 1 if something does, 2 if nothing could be asked."
    )
    # The audit runs them, and says which of its points they are about.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", help="another deployment, https://www.example.com")
        parser.add_argument(
            "--username",
            help="who logs in there, several times, and may get a mail about it; the password is "
            "asked for, or is the first line of standard input",
        )
        parser.add_argument(
            "--flow", action="append", choices=[flow.key for flow in flows()], help="this one alone"
        )
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        logging.getLogger("httpx").setLevel(logging.WARNING)
        signal.signal(signal.SIGTERM, interrupt)
        console = Console(stderr=options["json"], soft_wrap=True, highlight=False)
        chosen = [point for point in points() if point.flow in (options["flow"] or [point.flow])]
        try:
            with console.status("Starting ...") as status, scene_of(options) as scene:
                report = audit(scene, chosen, lambda point: status.update(f"{point.title}"))
        except DatabaseError as error:
            words = f"Nothing could be audited: {error}. Is it migrated (manage.py migrate)?"
            raise CommandError(words, returncode=2) from error
        except RedisError as error:
            words = f"Nothing could be audited: Redis does not answer ({error})."
            raise CommandError(words, returncode=2) from error
        except (NoAnswer, CannotStart, ContractError) as error:
            raise CommandError(f"Nothing could be audited: {error}", returncode=2) from error
        except KeyboardInterrupt as stop:
            raise CommandError("Interrupted.", returncode=130) from stop
        if not options["url"] and not options["flow"]:
            keep(report)
        if options["json"]:
            self.stdout.write(encode(report))
        else:
            show(report, console)
        if report.failed:
            sys.exit(1)


@contextmanager
def scene_of(options: dict[str, Any]) -> Iterator[Scene]:
    if not options["url"]:
        if options["username"]:
            raise CommandError("--username goes with --url: here a user is made.", returncode=2)
        with scene_of_this_deployment() as scene:
            yield scene
        return
    if not options["url"].startswith(("http://", "https://")):
        raise CommandError("--url begins with http:// or https://.", returncode=2)
    person = Person(options["username"], password()) if options["username"] else None
    scene = Scene(options["url"], person=person, inside=False)
    scene.over_https = {"Referer": f"{scene.url}/"}
    try:
        yield scene
    finally:
        scene.close()


def password() -> str:
    """Threat: on the command line or in the environment every process of the machine reads it."""
    return getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")


def interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def show(report: Report, console: Console) -> None:
    for result in report.results:
        show_point(result, console)
    console.print(f"\n[bold]{report.in_short}[/]")


def show_point(result: Result, console: Console) -> None:
    color = COLORS[result.status]
    console.print(f"\n[{color}]{result.status}[/]  [bold]{result.flow}, {result.area}[/]: ", end="")
    console.print(escape(result.title))
    for seen in result.checks:
        color = COLORS[seen.status]
        console.print(f"  [{color}]{seen.status}[/] {escape(seen.holds)}")
        evidence = " → ".join(filter(None, (seen.asked, seen.answer)))
        console.print(f"       {escape(evidence)}")
        if seen.status is Status.FAIL:
            console.print(f"       [bold]Otherwise:[/] {escape(seen.otherwise)}")
