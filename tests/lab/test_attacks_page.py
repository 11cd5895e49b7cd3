"""Does the page of the attacks say what is known, and run one attack at a time?"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from lab.attacks import report
from lab.attacks.attack import Exchange, Outcome, Verdict
from lab.attacks.catalogue import ATTACKS
from lab.attacks.matrix import Cell

pytestmark = [pytest.mark.once, pytest.mark.django_db]

CELL = ("use-after-logout", "jwt-expiry")
ASKED = {"attack": CELL[0], "strategy": CELL[1]}


@pytest.fixture
def folder(tmp_path: Path, settings: Settings, lab: None) -> Path:
    settings.VAR_DIR = tmp_path
    return tmp_path / "attacks"


@pytest.fixture
def last_run(folder: Path) -> report.Report:
    step = Exchange("mallory", "GET", "http://127.0.0.1/whoami/", "<b>She asks.</b>", 200)
    cell = Cell(*CELL, Outcome(Verdict.SUCCEEDS, "It is good until it expires.", (step,)), 1.0)
    found = report.report_of([cell])
    report.write(found, report.path())
    return found


def test_the_page_has_a_cell_for_every_attack_and_whom_it_is_tried_on(
    client: Client, folder: Path
) -> None:
    answer = client.get("/lab/attacks/")
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    text = answer.content.decode()
    assert text.count('class="cell needs-js"') == sum(len(each.expected) for each in ATTACKS)
    assert "docs/attacks.json, which came with the project" in text


def test_the_last_run_on_this_machine_counts_over_the_committed_one(
    client: Client, last_run: report.Report
) -> None:
    assert "the last run on this machine" in client.get("/lab/attacks/").content.decode()
    told = client.get("/lab/attacks/{}/{}/".format(*CELL)).json()
    assert told["outcome"]["lesson"] == "It is good until it expires."
    assert told["outcome"]["evidence"][0]["note"] == "<b>She asks.</b>"
    assert told["attack"]["title"] == next(a.title for a in ATTACKS if a.key == CELL[0])


@pytest.mark.parametrize("path", ["no-such/jwt-expiry", "use-after-logout/no-such"])
def test_what_is_no_cell_is_not_found(client: Client, folder: Path, path: str) -> None:
    assert client.get(f"/lab/attacks/{path}/").status_code == 404


def test_nothing_is_there_without_the_lab(client: Client) -> None:
    for path in ("", "run/", "use-after-logout/jwt-expiry/"):
        assert client.get(f"/lab/attacks/{path}").status_code == 404


def test_a_run_is_refused_for_what_is_no_cell_and_while_another_one_runs(
    client: Client, folder: Path
) -> None:
    assert client.get("/lab/attacks/run/").json() == {"state": "idle"}
    wrong = client.post("/lab/attacks/run/", {"attack": "--docs", "strategy": "jwt-expiry"})
    assert wrong.status_code == 400
    with (folder / "run.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        busy = client.post("/lab/attacks/run/", ASKED)
    assert busy.status_code == 409
    assert "Wait" in busy.json()["detail"]
    assert not (folder / "report.json").exists()


def test_a_run_needs_the_csrf_token(folder: Path) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/lab/attacks/run/", ASKED).status_code == 403


def test_a_run_whose_process_died_is_said_to_have_failed(client: Client, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    began = '{"attack": "a", "strategy": "b", "began": 1, "state": "running"}'
    (folder / "run.json").write_text(began)
    (folder / "run.log").write_text("CommandError: No Redis answers.\n")
    told = client.get("/lab/attacks/run/").json()
    assert (told["state"], told["error"]) == ("failed", "CommandError: No Redis answers.")


@pytest.fixture
def attacker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for the process that attacks: it brings the report there when it is let go.

    `tests/browser/test_attacks.py` starts the real one.
    """
    script = tmp_path / "attacker"
    script.write_text(
        f'#!/bin/sh\ncd {tmp_path} && echo "$@" > asked\n'
        "until [ -e go ]; do sleep 0.05; done\nmv go attacks/report.json\n"
    )
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    return script


def test_a_run_goes_from_running_to_done_and_counts_from_then_on(
    client: Client, last_run: report.Report, attacker: Path
) -> None:
    report.path().unlink()
    begun = client.post("/lab/attacks/run/", ASKED)
    assert (begun.status_code, begun.json()["state"]) == (202, "running")
    assert client.post("/lab/attacks/run/", ASKED).status_code == 409
    told = client.get("/lab/attacks/run/").json()
    assert told.items() >= {**ASKED, "state": "running"}.items()

    report.write(last_run, attacker.with_name("new"))
    attacker.with_name("new").rename(attacker.with_name("go"))
    told = ended(client)
    assert told.items() >= {**ASKED, "state": "done"}.items()
    asked = attacker.with_name("asked").read_text()
    assert asked == "manage.py attack use-after-logout --strategy jwt-expiry --json\n"
    shown = client.get("/lab/attacks/{}/{}/".format(*CELL)).json()
    assert shown["outcome"]["lesson"] == "It is good until it expires."


def test_a_run_that_brings_no_report_has_failed(
    client: Client, last_run: report.Report, attacker: Path
) -> None:
    """The report of an earlier run is none of this one."""
    client.post("/lab/attacks/run/", ASKED)
    os.utime(report.path(), (1, 1))
    attacker.with_name("go").mkdir()  # which cannot take a file's place
    assert ended(client)["state"] == "failed"
    assert client.post("/lab/attacks/run/", ASKED).status_code == 202  # and another one may begin
    ended(client)


def ended(client: Client) -> dict[str, Any]:
    """What is told of a run at its end; by then the thread that watched it has written it down."""
    told = report.path().with_name("run.json")
    deadline = time.monotonic() + 30
    while '"running"' in told.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return client.get("/lab/attacks/run/").json()
