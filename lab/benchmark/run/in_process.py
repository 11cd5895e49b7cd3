"""How far above the floor is each strategy? Runs inside the measured site, and prints rows as JSON.

`manage.py floor` measures the registered flows in the same way.
"""

from __future__ import annotations

import json
import sys

import httpx
from django.core.servers.basehttp import get_internal_wsgi_application

from accounts.client import FlowClient
from lab.benchmark.floor import BROWSER, Subject, figures, get
from lab.benchmark.run.logins import PASSWORD, USERNAME
from lab.management.commands.floor import sent_by
from lab.strategies import STRATEGIES

UNDER = "/lab/strategies/"


def print_rows(*, repetitions: int, rounds: int) -> None:
    """One line."""
    subjects = [subject(row.key) for row in STRATEGIES]
    rows = figures(subjects, repetitions=repetitions, rounds=rounds)
    sys.stdout.write(json.dumps([row.encode() for row in rows]) + "\n")


def subject(key: str) -> Subject:
    client = FlowClient(
        "http://127.0.0.1",
        key,
        under=UNDER,
        transport=httpx.WSGITransport(app=get_internal_wsgi_application()),
        headers={"User-Agent": BROWSER},
    )
    client.login(USERNAME, PASSWORD)
    return Subject(key, get(f"{UNDER}{key}/whoami/", **sent_by(client)))
