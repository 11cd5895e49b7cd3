"""What does each way of staying logged in cost on this machine? Starts all of it, and measures."""

from __future__ import annotations

import logging
import signal
import tempfile
from argparse import ArgumentParser
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from lab.benchmark import check as targets
from lab.benchmark import compare, report
from lab.benchmark.documents import Interrupted, write_docs
from lab.benchmark.report import NoReport, Report
from lab.benchmark.run.measuring import EVERY_MEASURE, MEASURES
from lab.benchmark.run.plan import FULL, QUICK, Bench, Step
from lab.benchmark.run.stage import Choice, staged
from lab.benchmark.run.subjects import chosen, every
from lab.staging.processes import StageError


class Command(BaseCommand):
    # The sites that are measured run theirs; this checkout's own keys are nobody's business here.
    requires_system_checks: list[str] = []
    help = "Measure every strategy and its peers: speed, cost of a request, login, revocation, ..."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--quick",
            action="store_true",
            help="under a minute where nothing else runs, and noisier",
        )
        parser.add_argument(
            "--only",
            action="append",
            choices=EVERY_MEASURE,
            help="measure this alone; may be repeated",
        )
        parser.add_argument(
            "--subjects",
            nargs="+",
            default=[],
            metavar="SUBJECT",
            help=f"of {', '.join(subject.key for subject in every())}",
        )
        parser.add_argument("--workers", type=int, default=settings.WEB_WORKERS)
        parser.add_argument(
            "--out", type=Path, default=settings.VAR_DIR / "benchmark" / "report", metavar="FOLDER"
        )
        parser.add_argument(
            "--compare", type=Path, metavar="FILE", help="say what changed since that report.json"
        )
        parser.add_argument(
            "--check", action="store_true", help="hold it to the targets; fails if a count is above"
        )
        parser.add_argument(
            "--docs", action="store_true", help="write README and docs with it; whole runs alone"
        )
        parser.add_argument(
            "--redis", default="", metavar="URL", help="an empty one, instead of a private one"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.console = Console(highlight=False)
        try:
            choice = self.choose(options)
            old = report.read(options["compare"]) if options["compare"] else None
            logging.getLogger("httpx").setLevel(logging.WARNING)
            for name in ("SIGTERM", "SIGHUP"):
                signal.signal(getattr(signal, name), interrupt)
            with tempfile.TemporaryDirectory(prefix="authdemo-benchmark-") as folder:
                is_whole = not (options["quick"] or options["subjects"])
                only = options["only"] or (EVERY_MEASURE if is_whole else MEASURES)
                measures = [measure for measure in EVERY_MEASURE if measure in only]
                found = self.run(choice, measures, Path(folder), options["out"])
            self.judge(found, old, **options)
        except (StageError, NoReport, Interrupted) as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt as stop:
            raise CommandError("Interrupted.", returncode=130) from stop

    def choose(self, options: dict[str, Any]) -> Choice:
        if options["workers"] < 1:
            raise StageError(f"--workers is 1 or more, not {options['workers']}.")
        if options["docs"] and (options["quick"] or options["only"] or options["subjects"]):
            raise StageError(
                "--docs publishes whole reports alone: leave out --quick, --only and --subjects, "
                "or leave out --docs and read the report in the folder of --out."
            )
        return Choice(
            subjects=chosen(options["subjects"]),
            counts=QUICK if options["quick"] else FULL,
            workers=options["workers"],
            redis_url=options["redis"],
        )

    def judge(
        self, found: Report, old: Report | None, *, check: bool, docs: bool, **options: Any
    ) -> None:
        if old is not None:
            compare.show(old, found, self.console)
        if docs:
            write_docs(found, settings.BASE_DIR / "docs", settings.BASE_DIR / "README.md")
        if check and not targets.check(found.rows, self.console):
            raise StageError("A target that is counted was missed, or was not measured.")

    def run(self, choice: Choice, measures: list[str], folder: Path, out: Path) -> Report:
        """Measure and report. What was measured until an interruption is reported too."""
        with ExitStack() as stack:
            with self.console.status("Setting up ...") as status:
                bench, conditions = stack.enter_context(staged(choice, folder, status.update))
                steps = [step for measure in measures for step in EVERY_MEASURE[measure](bench)]
            finished = False
            try:
                self.measure(steps)
                finished = True
            finally:
                # A second Ctrl-C would leave half a report, and servers that nobody ends.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                found = self.report(bench, conditions, out, interrupted=not finished)
            return found

    def measure(self, steps: list[Step]) -> None:
        total = sum(step.seconds for step in steps)
        self.console.print(f"Measuring, {about(total)}. Ctrl-C ends it, and keeps what there is.")
        columns = (
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
        )
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task("", total=total)
            for step in steps:
                progress.update(task, description=step.label)
                step.run()
                progress.advance(task, step.seconds)

    def report(
        self, bench: Bench, conditions: dict[str, Any], out: Path, *, interrupted: bool
    ) -> Report:
        made = datetime.now(UTC).isoformat(timespec="seconds")
        found = Report(made, conditions, bench.readings.rows(), interrupted)
        report.write(found, out)
        report.show(found, self.console)
        self.console.print(f"The report is in {out}.")
        return found


def about(seconds: float) -> str:
    return f"about {seconds:.0f} seconds" if seconds < 100 else f"about {seconds / 60:.0f} minutes"


def interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
