"""Is every legitimate difference answered for every flow, and used by a test?"""

from pathlib import Path

import pytest

from accounts.contract.registry import flows
from lab.differences import DIFFERENCES, Difference, difference
from lab.strategies import STRATEGIES

TESTS = Path(__file__).resolve().parent.parent
FLOWS = {flow.key for flow in flows()}


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row.key)
def test_each_flow_answers_and_says_why(row: Difference) -> None:
    assert row.answers.keys() == row.because.keys()
    assert FLOWS <= row.answers.keys() <= FLOWS | {each.key for each in STRATEGIES}
    assert row.question.endswith("?")
    assert all(reason.endswith(".") for reason in row.because.values())


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row.key)
def test_each_difference_is_asserted_by_a_test(row: Difference) -> None:
    """Data that no test looks up is an opinion."""
    asking = f'"{row.key}", '
    assert any(asking in path.read_text() for path in (TESTS / "contract").glob("*.py"))


def test_keys_are_unique() -> None:
    assert len({row.key for row in DIFFERENCES}) == len(DIFFERENCES)


def test_unknown_difference_is_a_mistake_of_the_test() -> None:
    with pytest.raises(StopIteration):
        difference("no such row", "jwt")
