"""Does each attack come out as it says, from real requests, and is a lost defence noticed?"""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from lab.attacks import documents, held, report
from lab.attacks.attack import SESSIONS, TOKENS, Attack, Exchange, Outcome, Verdict
from lab.attacks.browsers.chromium import why_no_browser
from lab.attacks.catalogue import ATTACKS, attack
from lab.attacks.evidence import shown
from lab.attacks.matrix import EVERY, WEAK, Cell, differences, pairs, run_matrix
from lab.attacks.person import Person
from lab.attacks.scene import Scene
from lab.attacks.stage import VARIABLES, Stage, staged
from lab.management.commands import attack as command
from lab.strategies import STRATEGIES, Strategy, strategy

pytestmark = pytest.mark.once

KEYS = {row.key for row in STRATEGIES}
DOCS = Path(documents.__file__).resolve().parent.parent.parent / "docs"
# The shortest way through each kind of verdict, on both flows.
HANDFUL = (
    ("use-after-logout", "session-push"),
    ("use-after-logout", "jwt-expiry"),
    ("use-after-logout", "jwt-push"),
    ("drop-the-signature", "jwt-naive"),
    ("drop-the-signature", "session-redis"),
    ("refresh-after-logout", "jwt-cookie"),
    ("list-the-keys", "session-redis"),
)


@pytest.fixture(scope="module", autouse=True)
def _quick_hash() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(VARIABLES, "DJANGO_SETTINGS_MODULE", "tests.lab.attacked")
        yield


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("stage"), {}, workers=1) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize(("name", "key"), HANDFUL)
def test_a_cell_comes_out_as_its_attack_says_and_shows_no_secret(
    stage: Stage, name: str, key: str
) -> None:
    tried, scene = attack(name), Scene(stage, strategy(key))
    with closing(scene):
        outcome = tried.run(scene)
    assert outcome.verdict is tried.expected[key]
    assert outcome.verdict is not Verdict.STOPPED or outcome.held is not None
    text = repr(outcome)
    assert "mallory" in text or outcome.verdict is Verdict.DOES_NOT_APPLY
    assert secrets_of(scene.people)
    assert [secret for secret in secrets_of(scene.people) if secret in text] == []


def secrets_of(people: list[Person]) -> set[str]:
    """The part of each secret that nobody could guess: all but what stands before its last dot.

    What an attacker only tries may be as short as she likes.
    """
    held_by_them = {cookie.value for person in people for cookie in person.http.cookies.jar}
    held_by_them |= {value for person in people for value in (person.token, person.password)}
    secrets = {(value or "").rpartition(".")[2] for value in held_by_them}
    return {secret for secret in secrets if len(secret) >= 22}


@pytest.mark.slow
def test_what_the_forgers_sign_is_good_until_they_change_it(stage: Stage) -> None:
    """Or they would be stopped by a mistake of their own."""
    with closing(Scene(stage, strategy("jwt-expiry"))) as scene:
        mallory = scene.person("mallory")
        mallory.log_in()
        for claims, status in (({}, 200), ({"aud": "shop"}, 401)):
            mallory.present(scene.sign(mallory.access_token or "", claims=claims))
            assert mallory.asks("Signed by the site's own key.").status_code == status


@pytest.mark.thorough
@pytest.mark.slow
def test_an_attack_on_a_weakened_server_is_noticed(tmp_path: Path) -> None:
    """With the longest grace that is allowed a predecessor passes for a second tab."""
    tried, key = attack("replay-after-rotation"), "jwt-expiry"
    assert tried.expected[key] is Verdict.STOPPED
    with (
        staged(tmp_path, {"GRACE_SECONDS": "30"}, workers=1) as weak,
        closing(Scene(weak, strategy(key))) as scene,
    ):
        outcome = tried.run(scene)
    assert outcome.verdict is Verdict.SUCCEEDS
    (difference,) = differences([tried], [Cell(tried.key, key, outcome, 0)])
    assert str(difference) == (
        "replay-after-rotation on jwt-expiry: expected 'stopped', came 'succeeds': "
        "a sound strategy lost"
    )


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.thorough
@pytest.mark.timeout(1800)
def test_the_whole_matrix_comes_out_as_expected() -> None:
    assert why_no_browser() == ""
    cells = run_matrix(ATTACKS)
    assert len(cells) == sum(len(each.expected) for each in ATTACKS)
    assert [str(each) for each in differences(ATTACKS, cells)] == []
    stopped = [cell for cell in cells if cell.outcome.verdict is Verdict.STOPPED]
    assert [f"{c.attack} {c.strategy}" for c in stopped if c.outcome.held is None] == []


# --- the catalogue -------------------------------------------------------------------------------


def test_at_least_forty_rows_are_covered_each_by_attacks_with_names_of_their_own() -> None:
    assert len({each.key for each in ATTACKS}) == len(ATTACKS)
    rows = {row for each in ATTACKS for row in each.catalogue}
    assert all(re.fullmatch(r"A\d\d", row) for row in rows)
    assert len(rows) >= 40


@pytest.mark.parametrize("each", ATTACKS, ids=lambda each: each.key)
def test_an_attack_is_told_and_says_what_is_expected_of_everybody(each: Attack) -> None:
    assert KEYS <= set(each.expected) <= KEYS | WEAK
    assert each.title
    assert each.story.endswith((".", "?", ")"))
    assert each.precondition.endswith(".")
    assert set(each.expected.values()) != {Verdict.DOES_NOT_APPLY}


@pytest.mark.parametrize("key", sorted(KEYS))
def test_a_strategy_is_attacked_as_what_its_client_holds(key: str) -> None:
    """A flow that is neither needs a word from each attack, above all where it does not apply."""
    assert (key in SESSIONS) + (key in TOKENS) == 1


def test_an_attack_stands_in_a_file_of_its_own() -> None:
    files = [type(each).__module__ for each in ATTACKS]
    assert [file for file in files if files.count(file) > 1] == []


def test_a_lesson_that_no_longer_teaches_is_called_so() -> None:
    weak = attack("use-after-logout")
    cells = [Cell(weak.key, "jwt-naive", made_up(Verdict.STOPPED), 0)]
    assert str(differences([weak], cells)[0]).endswith("a lesson no longer teaches")


def test_every_line_that_may_have_held_is_there() -> None:
    for line in held.LINES:
        assert held.source_of(line.function, line.mark).line > 0
    with pytest.raises(LookupError):
        held.source_of(held.held_by, "not in there")


# --- evidence ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Bearer " + ".".join("abcdefghijklmnopqrstuvwxyz" for _ in "123"), "abcdef…"),
        (f"__Host-sessionid=7.{'Ab_-' * 11}; Path=/", "__Host-sessionid=7.Ab_-Ab…; Path=/"),
        ('{"password": "a-password-of-the-private-stage"}', '{"password": "a-pass…"}'),
    ],
)
def test_what_looks_random_is_shortened(text: str, left: str) -> None:
    assert left in shown(text)
    assert not re.search(r"[A-Za-z0-9_-]{22,}", shown(text))


# --- the docs ------------------------------------------------------------------------------------


def test_the_docs_show_every_attack_as_it_is_expected() -> None:
    found = report.read(DOCS / documents.REPORT_NAME)
    assert {(c.attack, c.strategy): c.outcome.verdict for c in found.cells} == {
        (each.key, key): verdict for each in ATTACKS for key, verdict in each.expected.items()
    }
    text = (DOCS / documents.PAGE_NAME).read_text(encoding="utf-8")
    assert text == documents.page(found, ATTACKS)


def test_the_docs_keep_of_a_header_what_decides() -> None:
    cookie = ("set-cookie", "refresh=abc; expires=Sat, 28 Nov 2026 20:02:00 GMT; Max-Age=604800")
    step = replace(made_up("stopped").evidence[0], response_headers=(cookie, ("vary", "Cookie")))
    short = documents._brief(step)
    assert short.response_headers == (("set-cookie", "refresh=abc; Max-Age=604800"),)


def test_the_docs_refuse_half_a_matrix_and_one_that_came_out_otherwise(tmp_path: Path) -> None:
    tried = [attack("use-after-logout")]
    whole = [Cell(tried[0].key, key, made_up(v), 1) for key, v in tried[0].expected.items()]
    for cells in (whole[1:], [*whole[1:], Cell(tried[0].key, whole[0].strategy, made_up("x"), 1)]):
        with pytest.raises(documents.NotForTheDocs):
            documents.write_docs(report.report_of(cells), tried, tmp_path)
    documents.write_docs(report.report_of(whole), tried, tmp_path)
    assert "✗ succeeds" in (tmp_path / documents.PAGE_NAME).read_text()
    assert report.read(tmp_path / documents.REPORT_NAME).cells[0].attack == tried[0].key


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "authdemo attacks"}'])
def test_what_is_no_report_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(report.NoReport, match=r"report\.json is no report"):
        report.read(path)


def test_a_run_of_few_keeps_the_cells_of_the_others() -> None:
    old = report.report_of([Cell("a", "x", made_up("stopped"), 1), Cell("b", "x", made_up("x"), 1)])
    new = report.report_of([Cell("a", "x", made_up("succeeds"), 1)])
    both = report.merged(old, new)
    assert [(c.attack, c.outcome.verdict) for c in both.cells] == [
        ("b", Verdict.DOES_NOT_APPLY),
        ("a", Verdict.SUCCEEDS),
    ]


# --- the command ---------------------------------------------------------------------------------


def test_the_command_says_which_attacks_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("attack", "--list")
    said = capsys.readouterr().out
    assert all(each.key in said for each in ATTACKS)


@pytest.mark.parametrize("arguments", [[], ["no-such-attack"]])
def test_the_command_names_what_it_does_not_know(arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="--list"):
        call_command("attack", *arguments, stdout=StringIO())


@pytest.fixture
def attack_command(
    tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., str]]:
    """Run the command, and return what it printed. Its report and its signals stay in the test."""
    settings.VAR_DIR = tmp_path
    handlers = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}

    def run(*arguments: str) -> str:
        call_command("attack", *arguments)
        return capsys.readouterr().out

    yield run
    for each, handler in handlers.items():
        signal.signal(each, handler)


@pytest.fixture
def no_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every attack comes out as it says, at once."""

    def run(attacks: Sequence[Attack], strategies: Sequence[Strategy], done: Any) -> list[Cell]:
        return [
            Cell(each.key, row.key, made_up(each.expected[row.key]), 1)
            for each, row in pairs(attacks, strategies)
        ]

    monkeypatch.setattr(command, "run_matrix", run)


@pytest.mark.slow
@pytest.mark.thorough  # a private site, as for the cells above, with the command around it
def test_the_command_attacks_and_prints_a_whole_report(attack_command: Callable[..., str]) -> None:
    names = ("drop-the-signature", "use-after-logout")
    keys = ("session-redis", "jwt-expiry")
    printed = attack_command(*names, *(f"--strategy={key}" for key in keys), "--json")
    assert report.path().read_text() == printed
    assert json.loads(printed)["made"]
    found = report.read(report.path())
    assert {(c.attack, c.strategy): c.outcome.verdict for c in found.cells} == {
        (name, key): attack(name).expected[key] for name in names for key in keys
    }
    for cell in found.cells:
        assert cell.seconds > 0
        assert cell.outcome.lesson
        assert cell.outcome.evidence
        assert (cell.outcome.held is not None) == (cell.outcome.verdict is Verdict.STOPPED)


@pytest.mark.usefixtures("no_stage")
def test_the_command_prints_the_matrix_and_weak_variants_below_it(
    attack_command: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    weak, against_it = "session-no-csrf", "submit-from-a-sibling"
    monkeypatch.setattr(command, "why_no_browser", lambda: "")
    asked = [f"--strategy={key}" for key in ("session-redis", "jwt-expiry", "jwt-naive", weak)]
    printed = attack_command("use-after-logout", "drop-the-signature", against_it, *asked)
    lines = {line.split()[0]: line.split()[1:] for line in printed.splitlines() if line.strip()}
    assert lines["drop-the-signature"] == ["·", "✓", "✓"]
    assert lines["use-after-logout"] == ["✓", "✗", "✗"]
    assert "✗ succeeds  ✓ stopped  · does not apply" in printed
    assert lines[weak] == [against_it, "✗", "succeeds"]
    assert " ".join(lines["session-redis"]) == "2 of 2 that apply were stopped"
    assert str(report.path()) in printed.replace("\n", "")

    monkeypatch.setenv("COLUMNS", "200")  # where there is room, in words
    printed = attack_command("use-after-logout", "--strategy=jwt-naive")
    assert re.search(r"^ *use-after-logout +✗ succeeds", printed, re.MULTILINE)


@pytest.mark.usefixtures("no_stage")
def test_the_command_attacks_everybody_unless_it_is_told_whom(
    attack_command: Callable[..., str],
) -> None:
    attack_command("use-after-logout")
    assert {cell.strategy for cell in report.read(report.path()).cells} == set(
        attack("use-after-logout").expected
    )


@pytest.mark.usefixtures("no_stage")
def test_the_command_ends_with_1_when_a_verdict_differs(
    attack_command: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tried, key = attack("use-after-logout"), "session-redis"
    came = [Cell(tried.key, key, made_up(Verdict.SUCCEEDS), 1)]
    monkeypatch.setattr(command, "run_matrix", lambda *_: came)
    with pytest.raises(CommandError, match="1 of 1 cells came out otherwise") as ending:
        attack_command(tried.key, f"--strategy={key}", "--json")
    assert ending.value.returncode == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["cells"][0]["outcome"]["verdict"] == "succeeds"
    assert "a sound strategy lost" in " ".join(printed.err.split())


@pytest.mark.usefixtures("no_stage")
def test_the_command_says_so_when_there_is_nothing_to_run(
    attack_command: Callable[..., str],
) -> None:
    unasked = next(row.key for row in EVERY if row.key not in attack("use-after-logout").expected)
    with pytest.raises(CommandError, match="Nothing to run"):
        attack_command("use-after-logout", f"--strategy={unasked}")


def made_up(verdict: str) -> Outcome:
    known = {each.value for each in Verdict}
    step = Exchange("mallory", "GET", "http://127.0.0.1/", "She asks.", 401)
    chosen = Verdict(verdict) if verdict in known else Verdict.DOES_NOT_APPLY
    return Outcome(chosen, "A lesson.", (step,))
