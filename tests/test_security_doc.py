"""Is `docs/security.md` true? Every requirement, the code that it names, the tests, the figures."""

import ast
import re
from pathlib import Path

import pytest

from accounts.suspicion.rules import RULES, NewNetwork, NewProtocol, TwoPlaces
from authdemo import settings as site_settings
from sessions_api.store import MOST_DEVICES

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "security.md").read_text()
ROWS = {row[0]: row for row in re.findall(r"^\| (R\d\d) \| (.+) \| (.+) \| (.+) \|$", PAGE, re.M)}
REFERENCE = re.compile(r"\]\(\.\./([^)]+)\)(?: `(\w+)`)?")
DOES_NOT_APPLY = "Does not apply"


def references(cell: str) -> list[tuple[Path, str]]:
    """The files that a cell links to, each with the name that stands behind the link."""
    return [(ROOT / path, name) for path, name in REFERENCE.findall(cell)]


def test_every_requirement_is_there_once_and_in_order() -> None:
    assert list(ROWS) == [f"R{number:02}" for number in range(1, 99)]
    assert len(re.findall(r"^\| R\d\d ", PAGE, re.M)) == len(ROWS)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_what_enforces_it_is_there(row: tuple[str, str, str, str]) -> None:
    _, sentence, enforced, _ = row
    found = references(enforced)
    assert found or DOES_NOT_APPLY in sentence
    for path, name in found:
        assert path.is_file(), path
        assert re.search(rf"\b{name}\b", path.read_text()), f"{name} in {path}"


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_test_names_it(row: tuple[str, str, str, str]) -> None:
    number, sentence, _, tests = row
    found = references(tests)
    assert found or DOES_NOT_APPLY in sentence
    for path, name in found:
        assert path.is_file(), path
        source = source_of(name, path) if name else path.read_text()
        assert re.search(rf"\b{number}\b", source), f"{name} in {path} does not name {number}"


def source_of(test: str, path: Path) -> str:
    """The lines of one test, comments and decorators included."""
    source = path.read_text()
    functions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef))
    found = next((function for function in functions if function.name == test), None)
    assert found, f"{test} in {path}"
    first = min([found.lineno, *(decorator.lineno for decorator in found.decorator_list)])
    return "\n".join(source.splitlines()[first - 1 : found.end_lineno])


def test_the_lifetimes_are_those_of_the_settings() -> None:  # R97
    for profile, lifetimes in site_settings.LIFETIME_PROFILES.items():
        figures = " | ".join(str(seconds) for seconds in lifetimes.values())
        assert f"| `{profile}` | {figures} |" in PAGE
    assert f"{site_settings.GRACE_SECONDS} seconds (`GRACE_SECONDS`" in PAGE
    assert f"{site_settings.LEEWAY_SECONDS} seconds (`LEEWAY_SECONDS`" in PAGE


def test_the_links_last_as_long_as_the_settings_say() -> None:
    lasting = re.findall(r"^\| (?:sign up|set a new|use another).* \| (\d+) seconds \|", PAGE, re.M)
    assert list(map(int, lasting)) == list(site_settings.LINK_SECONDS.values())
    limits = (site_settings.MAIL_LIMIT_ADDRESS, site_settings.MAIL_LIMIT_NETWORK)
    sentence = "Up to {} mails to one address and {} from one network".format(*limits)
    assert f"{sentence} are sent in {site_settings.MAIL_LIMIT_SECONDS} seconds" in PAGE


def test_the_rules_of_suspicion_are_those_of_the_code() -> None:
    rules = re.findall(r"^\| `(\w+)` \| (\d+) \| [a-z]", PAGE, re.M)
    assert rules == [(rule.name, str(rule.weight)) for rule in RULES]
    actions = ("note", "notify", "end_device", "end_all")
    for profile, thresholds in site_settings.SUSPICION_PROFILES.items():
        figures = " | ".join(str(thresholds.get(action, "never")) for action in actions)
        assert f"| `{profile}` | {figures} |" in PAGE
    moving = sum(r.weight for r in (NewNetwork, NewProtocol, TwoPlaces))
    assert f"come to {moving}, below" in PAGE


def test_the_other_figures_are_those_of_the_code() -> None:  # R97
    assert f"up to {MOST_DEVICES} sessions of one user" in PAGE
    assert f"{site_settings.JWKS_MAX_AGE_SECONDS} seconds (`JWKS_MAX_AGE_SECONDS`" in PAGE
    assert "15 minutes and 30 seconds" in PAGE
    assert site_settings.ACCESS_SECONDS + site_settings.LEEWAY_SECONDS == 15 * 60 + 30
