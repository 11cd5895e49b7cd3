"""Does `--compare` name what changed, and keep still about noise?"""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from lab.benchmark import compare
from lab.benchmark.report import Report
from lab.benchmark.rows import Row
from tests.lab import made_up

pytestmark = pytest.mark.once


def login(*times: float, subject: str = "knox") -> Row:
    return Row("login", subject, "ms", list(times))


def compared(old: Row, new: Row) -> compare.Comparison:
    return compare.compare(made_up.report([old]), made_up.report([new]))


def said(old: Report, new: Report) -> str:
    console = Console(width=160, file=(output := StringIO()))
    compare.show(old, new, console)
    return output.getvalue()


CASES = {
    "ranges apart, and far": (login(10, 11, 12), login(13, 14, 15), "changed"),
    "faster": (login(13, 14, 15), login(10, 11, 12), "changed"),
    "ranges overlap": (login(10, 11, 13), login(12, 15, 16), "unchanged"),
    "ranges touch": (login(10, 11, 12), login(12, 13, 14), "unchanged"),
    "apart, and hardly": (login(10.0, 10.1), login(10.2, 10.3), "unchanged"),
    "once before": (login(10), login(20, 21), "not_judged"),
    "once now": (login(10, 11), login(20), "not_judged"),
    "a weight that was measured, and not counted": (
        Row("credential_bytes_store", "session-redis", "bytes", [620, 628]),
        Row("credential_bytes_store", "session-redis", "bytes", [618, 629]),
        "unchanged",
    ),
    "a count": (
        Row("bytes_sent", "knox", "bytes", [300]),
        Row("bytes_sent", "knox", "bytes", [301]),
        "changed",
    ),
    "the same count": (
        Row("bytes_sent", "knox", "bytes", [300]),
        Row("bytes_sent", "knox", "bytes", [300]),
        "unchanged",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_change_is_one_beyond_the_noise(case: str) -> None:
    old, new, expected = CASES[case]
    found = compared(old, new)
    for kind in ("changed", "unchanged", "not_judged"):
        assert getattr(found, kind) == ([(old, new)] if kind == expected else [])


@pytest.mark.parametrize(
    "other",
    [
        Row("login", "simplejwt", "ms", [1]),
        Row("login", "knox", "s", [1]),
        Row("login", "knox", "ms", [1], {"clients": 2}),
        Row("refresh", "knox", "ms", [1]),
    ],
    ids=["subject", "unit", "parameters", "measure"],
)
def test_only_what_is_the_same_figure_is_compared(other: Row) -> None:
    found = compared(login(1), other)
    assert (found.only_old, found.only_new) == ([login(1)], [other])
    assert not found.changed + found.unchanged + found.not_judged


def test_conditions_that_differ_stand_before_what_changed() -> None:
    old = made_up.report([login(10, 11)], made="2026-01-01T00:00:00+00:00")
    new = made_up.report(
        [login(20, 21)], conditions={**made_up.CONDITIONS, "workers": 8, "system": "[b]new[/b]"}
    )
    text = said(old, new)
    assert "not recorded" in text
    assert "[b]new[/b]" in text
    first, rest = text.index("Conditions that differ"), text.index("Changed beyond the noise")
    assert first < text.index("workers") < text.index(compare.RULE[:40]) < rest
    assert "+95.2%" in text
    assert "a processor" not in text


def test_the_date_is_no_condition() -> None:
    old = made_up.report([login(1, 2)], made="2026-01-01T00:00:00+00:00")
    text = said(old, made_up.report([login(1, 2)]))
    assert "measured under the same conditions" in text
    assert "Nothing changed beyond the noise." in text


def test_a_change_from_nothing_has_no_percent() -> None:
    old, new = (Row("sql_statements", "knox", "", [count]) for count in (0, 2))
    assert "+2 " in said(made_up.report([old]), made_up.report([new]))
