"""Does the report say how the web servers compare, and beside the one that runs the site?"""

from __future__ import annotations

from io import StringIO

import pytest
from gunicorn.workers.gthread import ThreadWorker
from rich.console import Console

from authdemo.web_server import SiteWorker
from lab.benchmark import documents, page, report
from lab.benchmark.rows import Row
from lab.benchmark.run.measuring import EVERY_MEASURE, MEASURES
from lab.benchmark.run.measuring.wsgi import SERVERS
from lab.benchmark.servers import IN_USE, sentences
from tests.lab import made_up

pytestmark = pytest.mark.once


def rate(server: str, value: float, clients: int) -> Row:
    return Row("server_requests_per_second", server, "1/s", [value], {"clients": clients})


def slow(server: str, answered: float) -> Row:
    return Row("server_answers_beside_slow", server, "", [answered], {"slow_clients": 4})


def test_the_others_are_measured_by_the_one_that_runs_the_site() -> None:
    rows = [
        *(rate(IN_USE, 100, clients) for clients in (1, 10)),
        *(rate("granian", value, clients) for value, clients in ((150, 1), (90, 10))),
        *(rate("waitress", 50, clients) for clients in (1, 10, 50)),
    ]
    assert sentences(rows) == [
        f"Times as many requests as {IN_USE}, which runs the site: "
        "granian 0.900 to 1.50, waitress 0.500."
    ]
    assert sentences(rows[:2]) == sentences(rows[2:]) == []


def test_who_is_answered_beside_slow_clients_is_said() -> None:
    assert sentences([slow(IN_USE, 10), slow("gunicorn sync", 0)]) == [
        f"Answered of 10 requests beside 4 slow clients: {IN_USE} 10, gunicorn sync 0."
    ]


def test_the_server_that_is_said_to_run_the_site_does() -> None:
    assert IN_USE == "gunicorn gthread"
    assert issubclass(SiteWorker, ThreadWorker)
    assert IN_USE in SERVERS


def test_a_whole_report_has_the_table_and_what_follows_from_it() -> None:
    assert "servers" in EVERY_MEASURE
    assert "servers" not in MEASURES, "a quick run has no time for four more servers"
    made = made_up.report()
    console = Console(width=200, file=(shown := StringIO()))
    report.show(made, console)
    conclusion = sentences(made.rows)[0]
    for text in (documents.page(made), page.render(made), shown.getvalue()):
        assert "Which web server should answer?" in text
        assert "gunicorn sync, strategy jwt-expiry" in text
        assert "Of 10 requests answered" in text
        assert conclusion in text
