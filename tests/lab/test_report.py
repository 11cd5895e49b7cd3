"""Does a report show all that was measured, and nothing that was not? (The rows are made up.)"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lab.benchmark import articles, conditions, page
from lab.benchmark.crossover import ONCE, PAIRS, sentences
from lab.benchmark.measures import GROUPS, MEASURES
from lab.benchmark.report import NoReport, Report, read, show, write
from lab.benchmark.rows import SECONDS_UNTIL_EXP, Row
from lab.benchmark.subjects import FLOOR, FLOORS, ORDER
from lab.benchmark.tables import sections, summary
from tests.lab import made_up

pytestmark = pytest.mark.once

SCRIPT = "<script>alert(1)</script>"


class Read(HTMLParser):
    """What a browser would make of a page: its elements, and the text of its cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("td", "th", "dd"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data

    def attributes(self) -> list[tuple[str, str]]:
        return [(name, value or "") for _, found in self.elements for name, value in found.items()]


def shown(report: Report) -> str:
    console = Console(width=200, file=(output := StringIO()))
    show(report, console)
    return output.getvalue()


def cells(rows: list[Row]) -> list[str]:
    lines = [line for s in sections(rows) for table in s.tables for line in table.lines]
    return [cell for line in lines for cell in line]


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    report = made_up.report(interrupted=True)
    write(report, tmp_path / "new folder")
    assert read(tmp_path / "new folder" / "report.json") == report


def test_every_raw_figure_and_condition_is_in_the_file(tmp_path: Path) -> None:
    write(made_up.report([Row("login", "knox", "ms", [3, 1, 2])]), tmp_path)
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["rows"][0]["values"] == [3, 1, 2]
    assert found["conditions"] == made_up.CONDITIONS
    assert found["made"] == made_up.MADE


NO_REPORTS = {
    "is missing": (None, "cannot be read: No such file"),
    "was cut short": ('{"kind": "authdemo benchm', "is not JSON, or was cut short"),
    "is no text": (b"\xff\xfe\x00", "is not JSON, or was cut short"),
    "is another list": ("[]", "is JSON, but no report"),
    "is another object": ('{"rows": []}', "is JSON, but no report"),
    "has no rows": ({}, "no report that this version can read"),
    "has a row of other fields": ({"rows": [{"a": 1}]}, "no report that this version can read"),
    "has a row of other types": ({"rows": ["row"]}, "no report that this version can read"),
    "has no date": ({"rows": [], "made": "yesterday", "conditions": {}}, "no report that"),
    "has no conditions": ({"rows": [], "made": made_up.MADE, "conditions": 3}, "no report that"),
}


@pytest.mark.parametrize("case", NO_REPORTS)
def test_a_file_that_is_no_report_is_refused_by_name(tmp_path: Path, case: str) -> None:
    content, why = NO_REPORTS[case]
    path = tmp_path / "old.json"
    if isinstance(content, dict):
        content = json.dumps({"kind": "authdemo benchmark", **content})
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(NoReport, match=re.escape(why)) as refusal:
        read(path)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"values": []},
        {"values": ["1"]},
        {"values": [float("nan")]},
        {"values": [float("inf")]},
        {"values": "12"},
        {"subject": None},
        {"measure": []},
        {"parameters": {"clients": [1]}},
        {"parameters": 3},
        {"colour": "red"},
    ],
    ids=str,
)
def test_a_row_that_is_no_figure_is_refused(wrong: dict[str, Any]) -> None:
    row = Row("login", "knox", "ms", [1, 2]).encode()
    assert Row.decode(row).encode() == row
    with pytest.raises((TypeError, ValueError)):
        Row.decode(row | wrong)


def test_every_measure_is_shown_under_one_question() -> None:
    grouped = [measure for group in GROUPS for table in group.tables for measure in table]
    assert sorted(grouped) == sorted(measure.key for measure in MEASURES)


def test_every_row_is_in_a_table_by_its_median() -> None:
    """Each row has a figure of its own here, so that one that is left out is missed."""
    rows = [
        Row(row.measure, row.subject, row.unit, [1_000_000 + number], row.parameters)
        for number, row in enumerate([*made_up.every_measure(), Row("new", "other", "?", [1])])
    ]
    said = " ".join(cells(rows))
    page_text = page.render(made_up.report(rows))
    for number in range(len(rows)):
        assert f"{1_000_000 + number:,}" in said
        assert f"{1_000_000 + number:,}" in page_text


def test_two_rows_of_one_kind_are_both_shown() -> None:
    rows = [Row("login", "knox", "ms", [1]), Row("login", "knox", "ms", [2])]
    assert "1; 2" in cells(rows)


def test_a_figure_is_said_with_its_spread_and_how_often_it_was_measured() -> None:
    rows = [Row("login", "knox", "ms", [12.04, 11.9, 13.0])]
    assert cells(rows) == ["knox", "12.0 (11.9-13.0)"]
    assert sections(rows)[0].tables[0].note == "Median of 3 repetitions (lowest-highest)."
    assert sections(rows)[0].tables[0].columns == ["", "Login (ms)"]


def test_what_lives_until_exp_is_no_time_that_was_measured() -> None:
    rows = [
        Row("time_to_revoke", "session-redis", "ms", [2], {"workers": 4}),
        Row("time_to_revoke", "jwt-naive", SECONDS_UNTIL_EXP, [86400], {"workers": 4}),
    ]
    assert cells(rows) == ["session-redis", "2", "jwt-naive", "until exp: 86,400 s"]
    # Its bar tells nothing about the others: theirs are drawn as if it was not there.
    text = page.render(made_up.report(rows))
    assert 'class="bar ours" x="0" y="20" width="100.00%"' in text
    assert 'class="bar ours endless" x="0" y="20" width="100%"' in text


@pytest.mark.parametrize("said", [shown, lambda report: page.render(report)], ids=["show", "page"])
def test_no_figures_without_their_conditions(said: Any) -> None:
    text = said(made_up.report())
    for words in (made_up.MADE, "a processor that does not exist", "kind embedded, version 6.2"):
        assert words in text
    bare = said(made_up.report(conditions={"cpu": ""}))
    assert bare.count(conditions.NOT_RECORDED) == len(conditions.EXPECTED)


@pytest.mark.parametrize("said", [shown, lambda report: page.render(report)], ids=["show", "page"])
def test_an_interrupted_report_says_so(said: Any) -> None:
    assert "Interrupted" in said(made_up.report(interrupted=True))
    assert "Interrupted" not in said(made_up.report())
    assert "Interrupted" in said(made_up.report([], interrupted=True))


def test_words_of_a_report_are_text_and_no_page() -> None:
    """A report may be of somebody else's making: `--compare` and a forwarded file show it."""
    row = Row(SCRIPT, SCRIPT, SCRIPT, [1], {SCRIPT: SCRIPT})
    known = Row("times_floor", SCRIPT, SCRIPT, [1, 2])
    text = page.render(made_up.report([row, known], conditions={SCRIPT: SCRIPT}, made=SCRIPT))
    found = Read(text)
    assert "script" not in {tag for tag, _ in found.elements}
    assert any(SCRIPT in cell for cell in found.cells)


def test_markup_of_the_terminal_is_text() -> None:
    words = "[bold]not bold[/bold] [/]"
    text = shown(made_up.report([Row("login", words, words, [1])], conditions={words: words}))
    assert text.count(words) >= 3


def test_the_page_fetches_nothing_and_runs_nothing() -> None:
    """It opens from a disk, with no internet, and asks nobody."""
    text = page.render(made_up.report())
    found = Read(text)
    tags = {tag for tag, _ in found.elements}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    leading = {"href", "src", "action", "xlink:href", "srcset", "poster"}
    links = [value for name, value in found.attributes() if name in leading]
    assert links
    assert all(link.startswith("#") for link in links)
    assert not any(name.startswith("on") for name, _ in found.attributes())
    assert "http" not in text
    assert "@import" not in text
    assert set(re.findall(r"url\(([^)]*)\)", text)) == {"#endless"}


def test_every_place_that_the_page_leads_to_is_there() -> None:
    found = Read(page.render(made_up.report()))
    ids = [value for name, value in found.attributes() if name == "id"]
    assert len(ids) == len(set(ids))
    assert {v[1:] for name, v in found.attributes() if name == "href"} <= set(ids)


def test_each_chart_has_words_for_who_does_not_see_it() -> None:
    found = Read(page.render(made_up.report()))
    charts = [attrs for tag, attrs in found.elements if tag == "svg" and "role" in attrs]
    assert len(charts) >= 10
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)


def test_a_subject_is_told_by_a_shape_and_not_by_colour_alone() -> None:
    text = page.render(made_up.report([Row("requests_per_second", "jwt-push", "1/s", [3])]))
    bar = text[text.index("<figure>") : text.index("</figure>")]
    assert 'href="#mark-jwt"' in bar
    assert ">jwt-push</text>" in bar


def test_bars_are_as_long_as_their_figures() -> None:
    rows = [Row("times_floor", key, "x", [v]) for key, v in (("knox", 4), ("jwt-push", 1))]
    text = page.render(made_up.report(rows))
    assert re.findall(r'class="bar[^"]*" x="0" y="20" width="([^"]+)"', text) == [
        "25.00%",
        "100.00%",
    ]
    # What was aimed for, on the same scale: 1.15 of 4.
    assert re.findall(r'class="target" x1="([^"]+)"', text) == ["28.75%"]


def test_a_report_of_nothing_can_be_shown() -> None:
    empty = made_up.report([], interrupted=True)
    assert "Nothing was measured." in page.render(empty)
    assert articles.NOT_MEASURED in shown(empty)


@pytest.mark.parametrize("value", [0, 0.0])
def test_figures_of_zero_can_be_drawn(value: float) -> None:
    rows = [Row(row.measure, row.subject, row.unit, [value], row.parameters) for row in full()]
    assert "<svg" in page.render(made_up.report(rows))


def test_whatever_was_varied_can_be_shown() -> None:
    """Names and values that nobody foresaw end no run: they would cost what it has measured."""
    odd: dict[str, int | float | str] = {"rows": 1, "measure": "a", "self": 2.5}
    for name in ("clients", "claims", "redis_milliseconds", "live", "workers", "rotation"):
        odd[name] = "many"
    rows = [Row(row.measure, row.subject, row.unit, [1], odd) for row in full()]
    rows += [Row(row.measure, row.subject, row.unit, [1]) for row in full()]
    assert "many" in page.render(made_up.report(rows))
    assert "many" in shown(made_up.report(rows))


def full() -> list[Row]:
    return made_up.every_measure()


def test_the_short_table_holds_what_was_measured_with_the_most_clients() -> None:
    rows = [Row("requests_per_second", "knox", "1/s", [n], {"clients": n}) for n in (10, 2)]
    assert summary(rows).columns == ["", "10 clients"]
    assert summary(rows).lines == [["knox", "10"]]


DISTANCES = (0, 0.25, 1, 2)


def crossing(subject: str, *times: float, noise: float = 0.01) -> list[Row]:
    """At as many of the distances as there are times."""
    return [
        Row(
            "crossover", subject, "ms", made_up.around(time, noise=noise), {"redis_milliseconds": d}
        )
        for d, time in zip(DISTANCES, times, strict=False)
    ]


def test_the_sentences_say_from_where_on_who_wins() -> None:
    rows = crossing("session-redis", 1, 1.25, 2, 3) + crossing("jwt-expiry", 1.5, 1.5, 1.5, 1.5)
    assert sentences([*rows, *crossing(FLOOR, 0.5, 0.5, 0.5, 0.4)]) == [
        "With Redis 0 to 0.25 ms away, session-redis is fastest.",
        "With Redis 1 to 2 ms away, jwt-expiry is fastest.",
        "Each millisecond of distance adds 1.00 ms to session-redis: 1.00 ms at 0 ms, "
        "3.00 ms at 2 ms.",
        "Distance makes no difference beyond the noise to jwt-expiry.",
    ]


def test_the_floor_competes_with_nobody() -> None:
    floor = crossing(FLOOR, 0.5, 0.5, 0.5, 0.4)
    assert sentences([*floor, *crossing("session-redis", 1, 1.25, 2, 3)]) == []


OVERTAKING = {
    "once": (
        (1, 1.25, 2, 3),
        (1.7, 1.7, 1.7, 1.7),
        "session-database overtakes session-redis at about 0.7 ms (between 0.25 and 1 ms).",
    ),
    "not where they cannot be told apart": (
        (1, 1.25, 2, 3),
        (1.5, 1.25, 1.5, 1.5),
        "session-database overtakes session-redis at about 0.5 ms (between 0 and 1 ms).",
    ),
    "there and back": (
        (1, 2, 2, 1),
        (2, 1, 1, 2),
        "session-database overtakes session-redis at about 0.12 ms (between 0 and 0.25 ms); "
        "session-redis overtakes session-database at about 1.5 ms (between 1 and 2 ms).",
    ),
    "never": (
        (1, 1.25, 2, 3),
        (4, 4, 4, 4),
        "session-redis is faster than session-database from 0 to 2 ms, never overtaken.",
    ),
    "never, and level where it is near": (
        (1, 1.25, 2, 3),
        (1, 1, 1, 1),
        "session-database is faster than session-redis from 0 to 2 ms, never overtaken; "
        "at 0 ms they cannot be told apart.",
    ),
    "neither": (
        (1, 1, 1, 1),
        (1, 1.01, 1, 1),
        "session-redis and session-database cannot be told apart from 0 to 2 ms: "
        "neither overtakes the other.",
    ),
}


@pytest.mark.parametrize("case", OVERTAKING)
def test_of_a_pair_it_is_said_where_one_overtakes_the_other(case: str) -> None:
    redis, database, expected = OVERTAKING[case]
    rows = [*crossing("session-redis", *redis), *crossing("session-database", *database)]
    floors = [row for key in FLOORS for row in crossing(key, 0.5, 0.5, 0.5, 0.5)]
    said = sentences([*floors, *rows])
    assert expected in said
    assert not any(floor in " ".join(said) for floor in FLOORS)


def test_one_distance_alone_shows_no_overtaking() -> None:
    rows = crossing("session-redis", 1) + crossing("session-database", 2)
    assert sentences(rows) == ["With Redis 0 ms away, session-redis is fastest."]


def test_who_is_compared_is_somebody() -> None:
    assert {name for pair in PAIRS for name in pair} <= ORDER.keys()


def test_nobody_wins_within_the_noise() -> None:
    rows = crossing("session-redis", 1, 1, 1, noise=0.2) + crossing("jwt-push", 1.1, 1.1, 1.1)
    assert sentences(rows)[0] == (
        "With Redis 0 to 1 ms away, none is faster than another beyond the noise "
        "(session-redis and jwt-push)."
    )


def test_what_was_measured_once_proves_little() -> None:
    rows = crossing("session-redis", 1, 2, 3, noise=0) + crossing("jwt-expiry", 1.5, 1.5, 1.5)
    assert ONCE not in sentences(rows)
    once = [Row(row.measure, row.subject, row.unit, [row.median], row.parameters) for row in rows]
    assert sentences(once)[0] == ONCE


def test_one_design_alone_wins_nothing() -> None:
    assert sentences(crossing("session-redis", 1, 2, 3)) == []
    assert sentences([]) == []
