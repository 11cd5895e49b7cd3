"""Do README and docs say what is there? Links, commands, calls and figures are held to files."""

import re
from pathlib import Path

import pytest

from accounts.contract.errors import ContractError
from accounts.contract.registry import flows
from accounts.contract.urls import contract_urls

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("*_api/*.md"), *ROOT.glob("docs/**/*.md")])


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_to_a_file(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text())
    missing = [
        link
        for link in links
        if not link.startswith("http") and not (document.parent / link).exists()
    ]

    assert missing == []


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {
        a or b
        for a, b in re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", README, flags=re.MULTILINE)
    }

    assert named
    assert named <= targets


def test_every_call_of_the_contract_is_in_the_readme_and_no_other() -> None:
    described = set(re.findall(r"`(?:GET|POST|PATCH|DELETE) ([a-z-]+)/", README))
    real = {str(url.pattern).split("/")[0] for url in contract_urls(flows()[0])}

    assert described == real


def test_every_error_code_is_in_the_readme() -> None:
    ours = {kind.default_code for kind in ContractError.__subclasses__()}
    described = set(re.findall(r"`([a-z_]+)`", README))

    assert ours <= described


def test_tour_names_files_with_their_length() -> None:
    tour = re.findall(r"^\| \[`([^`]+)`\]\([^)]+\) \| (\d+) \|", README, flags=re.MULTILINE)
    wrong = {}
    for name, lines in tour:
        real = len((ROOT / name).read_text().splitlines())
        # A line more or less does not mislead a reader; a tenth does.
        if abs(real - int(lines)) > max(5, real // 10):
            wrong[name] = real

    assert len(tour) >= 8
    assert wrong == {}


def test_both_flows_tell_their_story_under_the_same_headings() -> None:
    headings = {
        flow.key: re.findall(
            r"^## (.+)$", (ROOT / f"{flow.key}_api" / "README.md").read_text(), flags=re.MULTILINE
        )
        for flow in flows()
    }

    assert len(set(map(tuple, headings.values()))) == 1
    assert headings["sessions"] == [
        "Story",
        "One request",
        "What the client holds",
        "What the server remembers",
        "When it is stolen",
        "When it is used elsewhere",
        "When to choose it",
    ]
