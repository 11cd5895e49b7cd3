"""Does a run do what was planned, in turn, and say how far it has come? (Nothing is measured.)"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command
from rich.console import Console

from lab.benchmark.run import facts
from lab.benchmark.run.measuring import MEASURES, scale
from lab.benchmark.run.plan import FULL, QUICK, SETUP_SECONDS, Bench, Counts, Step
from lab.benchmark.run.subjects import PEERS, PEERS_ROTATING, SITE, every
from lab.benchmark.run.wrk import Driver
from lab.management.commands.benchmark import Command
from lab.staging.processes import finish
from lab.staging.site import site

pytestmark = pytest.mark.once


@pytest.fixture
def planned(tmp_path: Path) -> Callable[[Counts], Bench]:
    """Everybody, and no server that runs."""

    none: Any = None

    def bench(counts: Counts) -> Bench:
        return Bench(
            servers=dict.fromkeys((SITE, PEERS, PEERS_ROTATING), none),
            projects={SITE: site(tmp_path, "", "")},
            subjects=every(),
            counts=counts,
            workers=4,
            driver=Driver(Path("none")),
            redis_url="",
            folder=tmp_path,
            stack=ExitStack(),
        )

    return bench


def test_a_quick_run_is_planned_within_a_minute(planned: Callable[[Counts], Bench]) -> None:
    bench = planned(QUICK)
    planned_seconds = {
        measure: sum(step.seconds for step in steps(bench)) for measure, steps in MEASURES.items()
    }
    assert SETUP_SECONDS + sum(planned_seconds.values()) <= 60, planned_seconds


def test_those_who_are_measured_beside_many_logins_take_turns(
    planned: Callable[[Counts], Bench],
) -> None:
    steps = scale.steps(planned(replace(FULL, live=(1,), scale_rounds=3)))
    assert [step.label for step in steps] == [
        "session-redis beside 1 logins",
        "jwt-expiry beside 1 logins",
    ] * 3


def test_the_progress_bar_says_what_is_done_and_how_far_it_is() -> None:
    said = StringIO()
    command = Command()
    command.console = Console(file=said, force_terminal=True, highlight=False, width=100)
    done: list[str] = []

    def step(label: str, seconds: float, *shown: str) -> Step:
        def run() -> None:
            done.append(label)
            deadline = time.monotonic() + 20  # it is drawn ten times a second, by a thread
            while missing := [words for words in shown if words not in said.getvalue()]:
                assert time.monotonic() < deadline, f"{missing} is not in {said.getvalue()!r}"
                time.sleep(0.01)

        return Step(label, seconds, run)

    command.measure(
        [
            step("one warms up", 30, "0%", "one warms up"),
            step("another logs in", 60, "30%", "another logs in"),
            step("they end", 10, "90%", "they end"),
        ]
    )
    assert done == ["one warms up", "another logs in", "they end"]
    assert "Measuring, about 2 minutes." in said.getvalue()


@pytest.mark.parametrize("option", [{"quick": True}, {"only": ["login"]}, {"subjects": ["knox"]}])
def test_a_part_of_a_run_is_not_written_over_the_docs(
    option: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(*args: Any) -> None:
        raise AssertionError("it was measured first")

    monkeypatch.setattr(Command, "run", measured)
    with pytest.raises(CommandError, match="--docs publishes whole reports alone"):
        call_command("benchmark", docs=True, **option)


def test_the_revision_is_that_of_a_checkout_and_of_nothing_above_it(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    unpacked = repository / "unpacked"
    unpacked.mkdir(parents=True)
    git = ("git", "-c", "user.name=ada", "-c", "user.email=ada@example.org")
    finish({}, *git, "init", "--quiet", repository)
    assert facts.revision(repository) == {}  # nothing was committed yet
    finish({}, *git, "-C", repository, "commit", "-qm", "first", "--allow-empty")
    head = finish({}, *git, "-C", repository, "rev-parse", "HEAD").strip()
    assert facts.revision(repository) == {"revision": head[:12]}
    assert facts.revision(unpacked) == {}
    (repository / "file").touch()
    finish({}, *git, "-C", repository, "add", "file")
    assert facts.revision(repository) == {"revision": f"{head[:12]}-dirty"}


def test_the_site_says_how_it_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def published(url: str) -> httpx.Response:
        assert url == "http://127.0.0.1:1/.well-known/jwks.json"
        keys = [{"alg": "ES256"}, {"alg": "ES256"}, {"alg": "EdDSA"}]
        return httpx.Response(200, json={"keys": keys}, request=httpx.Request("GET", url))

    monkeypatch.setattr(httpx, "get", published)
    assert facts.of_site(site(tmp_path, "", ""), "http://127.0.0.1:1") == {
        "LAB": "1",
        "signing_algorithm": "ES256, EdDSA",
    }
