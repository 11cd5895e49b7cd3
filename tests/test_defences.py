"""Is every defence of `tests.defences` still there, and can it still be taken out?"""

import ast

import pytest

from tests.defences import DEFENCES, ROOT, Defence

pytestmark = pytest.mark.once


@pytest.mark.parametrize("defence", DEFENCES, ids=lambda defence: defence.name)
def test_defence_stands_in_the_code_once(defence: Defence) -> None:
    source = (ROOT / defence.file).read_text()
    assert source.count(defence.line) == 1
    ast.parse(source.replace(defence.line, defence.without))


@pytest.mark.parametrize("defence", DEFENCES, ids=lambda defence: defence.name)
def test_its_tests_are_there(defence: Defence) -> None:
    paths = [word for word in defence.tests.split() if word.startswith("tests/")]
    assert paths
    assert all((ROOT / path).exists() for path in paths)
