"""What is wrong with this installation, and what mends it? One line for each thing."""

import json
from argparse import ArgumentParser
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.markup import escape

from authdemo.doctor import configuration, machine, services
from authdemo.doctor.finding import Finding, problem

COLORS = {"ok": "green", "warning": "yellow", "problem": "bold red"}


class Command(BaseCommand):
    help = "Look at everything that can be wrong; exits with 1 if something is."
    requires_system_checks: list[str] = []  # one of the checks runs them, and reports

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--json", action="store_true", help="a list of {check, status, detail, fix}"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        findings = [find(name, check) for name, check in all_checks().items()]
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2))
        else:
            show(findings)
        if any(finding.status == "problem" for finding in findings):
            raise SystemExit(1)


def all_checks() -> dict[str, Callable[[], Finding]]:
    asked = services.Services()
    return {
        "python": machine.check_python,
        "packages": machine.check_packages,
        "settings": configuration.check_settings,
        "data": machine.check_var,
        "redis": partial(services.check_redis, asked),
        "push": partial(services.check_push, asked),
        "database": partial(services.check_database, asked),
        "migrations": partial(services.check_migrations, asked),
        "clock": partial(services.check_clock, asked),
        "secret key": configuration.check_secret_key,
        "jwt keys": configuration.check_jwt_keys,
        "cookies": configuration.check_cookies,
        "lab": partial(configuration.check_lab, asked),
        "port": machine.check_port,
        "static files": machine.check_static_files,
        "browser": machine.check_browser,
    }


def find(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except Exception as error:  # noqa: BLE001  a doctor who faints at the sight of illness
        return problem(name, f"could not be looked at: {error}", "Mend that first.")


def show(findings: list[Finding]) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for finding in findings:
        color = COLORS[finding.status]
        console.print(
            f"[{color}]{finding.status:<8}[/] {finding.check:<13} {escape(finding.detail)}"
        )
        if finding.fix:
            console.print(f"{'':<22} → {escape(finding.fix)}")
