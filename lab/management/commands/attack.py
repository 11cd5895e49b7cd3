"""What can an attacker do to each strategy? `python manage.py attack --all` finds out."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from lab.attacks import report
from lab.attacks.attack import Attack, Group, Verdict
from lab.attacks.browsers.chromium import why_no_browser
from lab.attacks.catalogue import ATTACKS
from lab.attacks.documents import SIGNS, NotForTheDocs, write_docs
from lab.attacks.matrix import EVERY, WEAK, Cell, differences, pairs, run_matrix
from lab.attacks.report import NoReport, Report
from lab.staging.processes import StageError

WIDE = 160  # columns; below it the matrix has signs alone, and says under it what they mean
STYLES = {Verdict.SUCCEEDS: "bold red", Verdict.STOPPED: "green", Verdict.DOES_NOT_APPLY: "dim"}


class Command(BaseCommand):
    # The private site runs its own checks; this checkout's are nobody's business here.
    requires_system_checks: list[str] = []
    help = "Attack every strategy with real requests, on a private site, and print the matrix."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="attacks, see --list")
        parser.add_argument("--all", action="store_true", help="every attack")
        parser.add_argument(
            "--strategy",
            action="append",
            default=[],
            choices=[row.key for row in EVERY],
            help="attack this one alone, a weakened variant too; may be repeated",
        )
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        parser.add_argument("--list", action="store_true", help="say which attacks there are")
        parser.add_argument("--docs", action="store_true", help="write docs/attacks.*; wants --all")

    def handle(self, *names: str, **options: Any) -> None:
        # Progress and tables are for people; with --json the output is for a program.
        self.console = Console(highlight=False, stderr=options["json"])
        if options["list"]:
            self.show_list()
            return
        attacks = self.runnable(self.chosen(options["names"], everything=options["all"]))
        wanted = options["strategy"]
        keys = [row for row in EVERY if not wanted or row.key in wanted]
        if not pairs(attacks, keys):
            raise CommandError("Nothing to run: an attack meets a weak variant where it teaches.")
        for name in ("SIGTERM", "SIGHUP"):
            signal.signal(getattr(signal, name), interrupt)
        try:
            found = self.run(attacks, keys)
            if options["docs"]:
                write_docs(found, attacks, settings.BASE_DIR / "docs")
        except (StageError, NotForTheDocs) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt as stop:
            raise CommandError("Interrupted.", returncode=130) from stop
        self.tell(found, attacks, as_json=options["json"])

    def chosen(self, names: list[str], *, everything: bool) -> list[Attack]:
        if everything or not names:
            if not everything:
                raise CommandError("Name an attack, or give --all. --list says which there are.")
            return list(ATTACKS)
        known = {attack.key: attack for attack in ATTACKS}
        for name in names:
            if name not in known:
                raise CommandError(f"There is no attack {name!r}: --list says which there are.")
        return [known[name] for name in known if name in names]

    def runnable(self, attacks: list[Attack]) -> list[Attack]:
        """Those that can be run on this machine; the others are named, and never called stopped."""
        without = why_no_browser() if any(each.needs_browser for each in attacks) else ""
        if not without:
            return attacks
        for attack in attacks:
            if attack.needs_browser:
                self.console.print(f"[yellow]{attack.key}: not run, {escape(without)}[/]")
        rest = [each for each in attacks if not each.needs_browser]
        if not rest:
            raise CommandError(f"Nothing to run: this {without}.")
        return rest

    def run(self, attacks: list[Attack], strategies: Any) -> Report:
        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task("Starting ...", total=len(pairs(attacks, strategies)))
            turn = threading.Lock()

            def done(cell: Cell) -> None:
                with turn:
                    progress.update(task, advance=1, description=f"{cell.attack}: {cell.strategy}")

            found = report.report_of(run_matrix(attacks, strategies, done))
        try:
            old = report.read(report.path())
        except NoReport:
            old = None
        report.write(report.merged(old, found), report.path())
        return found

    def tell(self, found: Report, attacks: list[Attack], *, as_json: bool) -> None:
        wrong = differences(attacks, found.cells)
        if as_json:
            self.stdout.write(report.encode(found))
        else:
            self.show(found, attacks)
        for each in wrong:
            self.console.print(f"[bold red]{escape(str(each))}[/]")
        if wrong:
            raise CommandError(f"{len(wrong)} of {len(found.cells)} cells came out otherwise.")

    # --- shown in the terminal -----------------------------------------------------------------

    def show_list(self) -> None:
        for group in Group:
            self.console.print(f"\n[bold]{group.value.capitalize()}[/]")
            for attack in (each for each in ATTACKS if each.group is group):
                rows = ", ".join(attack.catalogue)
                self.console.print(f"  {attack.key:32} {escape(attack.title)} [dim]({rows})[/]")

    def show(self, found: Report, attacks: list[Attack]) -> None:
        keys = list(dict.fromkeys(c.strategy for c in found.cells if c.strategy not in WEAK))
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        table.add_column("attack", overflow="fold")
        for key in keys:
            table.add_column(key.replace("-", "\n"), no_wrap=True)
        in_words = self.console.width >= WIDE
        for attack in attacks:
            cells = (found.cell(attack.key, key) for key in keys)
            table.add_row(attack.key, *(shown(cell, in_words) for cell in cells))
        if keys:
            self.console.print(table)
            meaning = (f"{sign} {verdict.value}" for verdict, sign in SIGNS.items())
            self.console.print("  ".join(meaning))
        for cell in found.cells:
            if cell.strategy in WEAK:
                words = shown(cell, in_words=True)
                self.console.print(f"{cell.strategy:26} {cell.attack:26} {words}")
        for count in report.counts(found.cells):
            self.console.print(
                f"{count.strategy:26} {count.stopped} of {count.applied} that apply were stopped"
            )
        self.console.print(f"The evidence is in {report.path()}.")


def shown(cell: Cell | None, in_words: bool) -> str:
    if cell is None:
        return ""
    verdict = cell.outcome.verdict
    words = f" {verdict.value}" if in_words else ""
    return f"[{STYLES[verdict]}]{SIGNS[verdict]}{words}[/]"


def interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
