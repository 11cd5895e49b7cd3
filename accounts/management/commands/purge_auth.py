"""What lets the tables grow only as live devices grow? This command, run every day."""

import time
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError

from accounts.contract.errors import STORE_ERRORS, StoreUnavailable
from accounts.contract.registry import keepers
from accounts.purge import purge_events

MOST_ROWS = 10_000  # SQLite takes no more than 32 766 parameters
MOST_REST_SECONDS = 2  # after a batch that had to wait itself
SECONDS_BETWEEN_LINES = 5


class Command(BaseCommand):
    help = (
        "Delete what is kept of logins whose time is over, and events older than AUDIT_DAYS. "
        "Run it every day (cron, a systemd timer, a Kubernetes CronJob), and every hour where "
        "more than some 100 000 refreshes are made a day. It may run at any time, beside "
        "requests and beside itself; stopped at any moment, it goes on where it was the next time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="delete nothing, say how much would go"
        )
        parser.add_argument(
            "--batch",
            type=rows,
            default=200,
            metavar="ROWS",
            help="rows per transaction (default: %(default)s)",
        )
        parser.add_argument(
            "--load",
            type=percent,
            default=1,
            metavar="PERCENT",
            help="how much of the time it works; between batches it rests (default: %(default)s)",
        )

    def handle(
        self, *, dry_run: bool, batch: int, load: float, verbosity: int, **options: Any
    ) -> None:
        self.totals: Counter[str] = Counter()
        self.verb = "Would delete" if dry_run else "Deleted"
        try:
            self.purge(dry_run=dry_run, batch=batch, load=load, verbosity=verbosity)
        except (KeyboardInterrupt, StoreUnavailable, ProgrammingError, *STORE_ERRORS) as error:
            if is_ctrl_c(error):
                self.stderr.write(f"Stopped. {self.said()} The next run goes on from there.")
                raise SystemExit(130) from None
            reason = " ".join(str(getattr(error, "log_reason", "") or error).split())
            raise CommandError(
                f"The store does not answer as it should: {reason}. {self.said()} Run it again."
            ) from error
        if verbosity:
            self.stdout.write(self.said())

    def purge(self, *, dry_run: bool, batch: int, load: float, verbosity: int) -> None:
        told = began = time.monotonic()
        for purge in (*(flow.purge for flow in keepers()), purge_events):
            for gone in purge(batch=batch, dry_run=dry_run):
                self.totals.update(gone)
                now = time.monotonic()
                if verbosity > 1 or (verbosity and now - told > SECONDS_BETWEEN_LINES):
                    self.stdout.write(self.said())
                    self.stdout.flush()
                    told = now
                # Why: as long as it took, times so much. On a slow disk a fixed pause would leave
                # the requests no time between two batches.
                time.sleep(min(MOST_REST_SECONDS, (now - began) * (100 / load - 1)))
                began = time.monotonic()

    def said(self) -> str:
        """The sums so far, as a sentence."""
        counts = [f"{count} {name}" for name, count in sorted(self.totals.items()) if count]
        return f"{self.verb} {', '.join(counts) or 'nothing'}."


def rows(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_ROWS:
        raise ArgumentTypeError(f"a number from 1 to {MOST_ROWS}, not {text!r}")
    return int(text)


def is_ctrl_c(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind it.

    Surprise: pressed while a transaction of PostgreSQL ends, it leaves the connection in the middle
    of it, and what is raised is what Django says of that.
    """
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value <= 100:
        raise ArgumentTypeError(f"a number above 0, 100 at most, not {text!r}")
    return value
