"""Which web server answers the most beside the one that we run? Said from the rows alone.

Why it is not simply the fastest one stands in `authdemo/web_server.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.benchmark import figures
from lab.benchmark.measures import SLOW_ASKED
from lab.benchmark.rows import Row, find

IN_USE = "gunicorn gthread"
RATE, SLOW = "server_requests_per_second", "server_answers_beside_slow"


def sentences(rows: Sequence[Row]) -> list[str]:
    return [*against_ours(rows), *beside_slow(rows)]


def against_ours(rows: Sequence[Row]) -> list[str]:
    """How many times as many requests each other one answers: the range over all loads."""
    others = dict.fromkeys(row.subject for row in rows if row.measure == RATE)
    said = [said_of(other, rows) for other in others if other != IN_USE]
    found = ", ".join(filter(None, said))
    return [f"Times as many requests as {IN_USE}, which runs the site: {found}."] if found else []


def said_of(other: str, rows: Sequence[Row]) -> str:
    times = []
    for row in rows:
        ours = find(rows, RATE, IN_USE, **row.parameters)
        if (row.measure, row.subject) == (RATE, other) and ours and ours.median:
            times.append(row.median / ours.median)
    span = dict.fromkeys(map(figures.number, (min(times), max(times)))) if times else {}
    return f"{other} {' to '.join(span)}" if span else ""


def beside_slow(rows: Sequence[Row]) -> list[str]:
    measured = [row for row in rows if row.measure == SLOW]
    if not measured:
        return []
    counts = (f"{row.subject} {figures.number(row.median)}" for row in measured)
    under = figures.varied(measured[0])
    return [f"Answered of {SLOW_ASKED} requests beside {under}: {', '.join(counts)}."]
