"""Do the docs say of the benchmark what the command made of a report, and nothing else?"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from lab.benchmark import documents
from lab.benchmark.report import read
from lab.benchmark.rows import Row
from lab.benchmark.tables import Table
from tests.lab import made_up

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
PAGE, REPORT = DOCS / documents.PAGE_NAME, DOCS / documents.REPORT_NAME


def test_the_page_is_what_is_made_of_its_report() -> None:
    assert PAGE.exists() == REPORT.exists(), "they are made together"
    if not PAGE.exists():
        pytest.skip(f"there is no docs/{PAGE.name} yet: {documents.COMMAND} makes it")
    report = read(REPORT)
    assert not report.interrupted
    assert PAGE.read_text(encoding="utf-8") == documents.page(report)


def test_the_readme_holds_the_short_table_of_the_same_report() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    if documents.BEGIN not in readme:
        pytest.skip(f"README.md has no {documents.BEGIN} yet")
    assert documents.put_into(readme, documents.short(read(REPORT))) == readme


def test_page_and_report_are_made_together(tmp_path: Path) -> None:
    report = made_up.report()
    readme, other = tmp_path / "README.md", tmp_path / "other.md"
    readme.write_text(f"before\n\n{documents.BEGIN}\nold\n{documents.END}\n\nafter\n")
    other.write_text("nothing of it\n")
    for _ in range(2):
        documents.write_docs(report, tmp_path, readme, other)

    assert read(tmp_path / documents.REPORT_NAME) == report
    assert (tmp_path / documents.PAGE_NAME).read_text() == documents.page(report)
    begin, end = f"before\n\n{documents.BEGIN}\n", f"{documents.END}\n\nafter\n"
    assert readme.read_text() == begin + documents.short(report) + end
    assert other.read_text() == "nothing of it\n"


def test_a_part_of_a_report_is_not_for_the_docs(tmp_path: Path) -> None:
    with pytest.raises(documents.Interrupted):
        documents.write_docs(made_up.report(interrupted=True), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_figures_stand_with_their_date_and_conditions() -> None:
    report = made_up.report()
    for text in (documents.page(report), documents.short(report)):
        assert made_up.MADE in text
        assert "a processor that does not exist" in text
        assert documents.COMMAND in text


def test_words_of_a_report_break_no_table_and_make_no_html() -> None:
    table = Table("", "", ["", "a"], [["<b>|", "a\n\\|b"]])
    assert documents.as_markdown(table) == "|  | a |\n|---|--:|\n| &lt;b>\\| | a \\\\\\|b |"
    text = documents.page(made_up.report([Row("<b>", "<i>", "|", [1])], conditions={"<u>": "<s>"}))
    assert not any(tag in text for tag in ("<b>", "<i>", "<u>", "<s>"))


def test_every_line_of_a_table_has_as_many_cells() -> None:
    lines = documents.page(made_up.report()).splitlines()
    tables = [line for line in lines if line.startswith("|")]
    for above, below in pairwise(lines):
        if above.startswith("|") and below.startswith("|"):
            assert above.count("|") == below.count("|")
    assert len(tables) > 50
