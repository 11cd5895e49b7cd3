"""Are the targets reached? `--check` holds counts and times of a report against them.

Counts are the same on every machine, so they decide. Times, most of them ratios of two of one run,
are printed as reached or missed; a busy machine bends them, so they decide nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab.benchmark import figures
from lab.benchmark.rows import Row, find, of_whoami

REACHED, MISSED, NOT_MEASURED = "reached", "missed", "not measured"


@dataclass(frozen=True)
class Target:
    """The measure of that subject is at most `most`. A count (`decides`) must not be above it."""

    subject: str
    measure: str
    most: float
    decides: bool
    call: str = ""  # where none is named, it is whoami, if it is of a call at all
    unit: str = ""
    devices: int = 0  # of the user: what Redis holds of one is shared by so many sessions


def of_strategy(key: str, *, times_floor: float, redis: int) -> tuple[Target, ...]:
    """What one strategy was asked for: on each request, when it refreshes, and at a login."""
    return (
        Target(key, "times_floor", times_floor, decides=False),
        Target(key, "sql_statements", 0, decides=True),
        Target(key, "redis_commands", redis, decides=True),
        Target(key, "sql_statements", 5, decides=True, call="refresh"),
        Target(key, "redis_commands", 2, decides=True, call="refresh"),
        Target(key, "login_beyond_hash", 10, decides=False, unit="ms"),
    )


TARGETS = (
    *of_strategy("session-redis", times_floor=1.6, redis=1),
    *of_strategy("session-push", times_floor=1.15, redis=0),
    *of_strategy("jwt-expiry", times_floor=1.15, redis=0),
    *of_strategy("jwt-push", times_floor=1.15, redis=0),
    *of_strategy("jwt-lookup", times_floor=1.5, redis=1),
    Target("session-redis", "credential_bytes_store", 400, decides=True, devices=2),
)
# Over HTTP, our default answers so many times as many requests as each peer of its kind.
LEAST_TIMES_PEER = 2.0
PEERS = {
    "session-redis": ("django-sessions", "allauth-session", "knox"),
    "jwt-expiry": ("simplejwt", "simplejwt-stateless", "allauth-jwt", "dj-rest-auth"),
}


@dataclass(frozen=True)
class Line:
    """One target: what it is about, what was asked, what was found, and the verdict."""

    about: str
    asked: str
    found: str
    verdict: str
    decides: bool


def check(rows: Sequence[Row], console: Console) -> bool:
    """Print a line for each target; return whether every count was measured and holds."""
    lines = [*(against(target, rows) for target in TARGETS), *against_peers(rows)]
    console.print(as_table(lines))
    decisive = [line for line in lines if line.decides]
    times = [line for line in lines if not line.decides]
    console.print(f"Counts, which decide: {tally(decisive)}.")
    console.print(f"Times, which depend on the machine and decide nothing: {tally(times)}.")
    for line in lines:
        if line.verdict == MISSED:
            console.print(f"[bold red]Missed:[/] {escape(line.about)}: {line.found}, {line.asked}.")
    return all(line.verdict == REACHED for line in decisive)


def against(target: Target, rows: Sequence[Row]) -> Line:
    whose = figures.parameter("devices", target.devices) if target.devices else ""
    words = (target.subject, target.call, figures.title(target.measure), whose)
    about = ", ".join(filter(None, words))
    asked = f"at most {figures.number(target.most)} {target.unit}".strip()
    row = of_call(target, rows)
    if row is None:
        return Line(about, asked, "", NOT_MEASURED, target.decides)
    # A count is judged by its highest, so that no repetition may break it.
    judged = row.spread[1] if target.decides else row.median
    verdict = REACHED if judged <= target.most else MISSED
    return Line(about, asked, figures.with_spread(row), verdict, target.decides)


def of_call(target: Target, rows: Sequence[Row]) -> Row | None:
    if target.call:
        return find(rows, target.measure, target.subject, call=target.call)
    under = {"devices": target.devices} if target.devices else {}
    return find(of_whoami(rows), target.measure, target.subject, **under)


def against_peers(rows: Sequence[Row]) -> Iterator[Line]:
    """Each peer at the number of clients at which it comes closest."""
    asked = f"at least {figures.number(LEAST_TIMES_PEER)} times"
    for ours, peers in PEERS.items():
        for peer in peers:
            about = f"{ours} against {peer}: requests per second"
            closest = min(times_as_many(rows, ours, peer), default=None)
            if closest is None:
                yield Line(about, asked, "", NOT_MEASURED, decides=False)
                continue
            verdict = REACHED if closest[0] >= LEAST_TIMES_PEER else MISSED
            yield Line(about, asked, f"{closest[0]:.2f}{closest[1]}", verdict, decides=False)


def times_as_many(rows: Iterable[Row], ours: str, peer: str) -> Iterator[tuple[float, str]]:
    """The ratio of medians, and under what: ` (10 clients)`. The same parameters on both sides."""
    measured = [row for row in rows if row.measure == "requests_per_second"]
    for row in measured:
        other = find(measured, row.measure, peer, **row.parameters)
        if row.subject == ours and other is not None and other.median:
            varied = figures.varied(row)
            yield row.median / other.median, f" ({varied})" if varied else ""


def as_table(lines: Iterable[Line]) -> Table:
    table = Table(title="Targets")
    for column in ("what", "asked", "found", ""):
        table.add_column(column)
    colours = {REACHED: "green", MISSED: "bold red", NOT_MEASURED: "yellow"}
    for line in lines:
        table.add_row(
            *map(escape, (line.about, line.asked, line.found)),
            f"[{colours[line.verdict]}]{line.verdict}[/]",
        )
    return table


def tally(lines: Sequence[Line]) -> str:
    return ", ".join(
        f"{sum(line.verdict == verdict for line in lines)} {verdict}"
        for verdict in (REACHED, MISSED, NOT_MEASURED)
    )
