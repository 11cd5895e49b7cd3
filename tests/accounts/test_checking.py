"""Are checks told of as they ran, and left as they were where nobody asks?"""

from pathlib import Path

import pytest

from accounts.contract.checking import check, noted
from accounts.contract.errors import ContractError, CredentialRevoked

pytestmark = pytest.mark.once


@check("raises", "It is not negative.")
def raises(number: int) -> int:
    if number < 0:
        raise CredentialRevoked("negative")
    return number


@check("returns", "It is not negative.")
def returns(number: int) -> ContractError | None:
    return CredentialRevoked("negative") if number < 0 else None


@check("says", "It is not negative.")
def says(number: int) -> bool:
    return number >= 0


@check("finds", "It is known.", refuses=lambda found: found is None)
def finds(number: int) -> str | None:
    return {1: "one"}.get(number)


@check("both", "Both hold.")
def both(number: int) -> bool:
    return says(number) and finds(number) is not None


def test_a_check_does_what_it_did_before() -> None:
    assert (raises(1), returns(1), says(-1), finds(1)) == (1, None, False, "one")
    assert isinstance(returns(-1), CredentialRevoked)
    with pytest.raises(CredentialRevoked):
        raises(-1)
    assert raises.__name__ == "raises"


def test_what_raises_returns_an_error_or_says_no_has_refused() -> None:
    with noted() as runs:
        for each in (returns, says, finds):
            each(1)
            each(-1)
        with pytest.raises(CredentialRevoked):
            raises(-1)
    told = [(run.check.name, run.refused, run.because) for run in runs]
    assert told == [
        ("returns", False, ""),
        ("returns", True, "negative"),
        ("says", False, ""),
        ("says", True, ""),
        ("finds", False, ""),
        ("finds", True, ""),
        ("raises", True, "negative"),
    ]


def test_checks_stand_in_the_order_in_which_they_began() -> None:
    with noted() as runs:
        both(1)
    assert [run.check.name for run in runs] == ["both", "says", "finds"]
    assert all(run.began <= run.ended for run in runs)


def test_a_check_says_where_it_stands() -> None:
    with noted() as runs:
        says(1)
    lines = Path(runs[0].check.file).read_text().splitlines()
    assert lines[runs[0].check.line - 1] == '@check("says", "It is not negative.")'


def test_nothing_is_noted_outside() -> None:
    with noted() as runs, noted() as inner:
        says(1)
    says(1)
    assert (len(runs), len(inner)) == (0, 1)
