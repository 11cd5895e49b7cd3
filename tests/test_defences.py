"""Is every defence of `tests.defences` still there, and can it still be taken out?"""

import ast
from pathlib import Path

import pytest

from tests import defences
from tests.defences import BROKEN, DEFENCES, NOT_NOTICED, RED, ROOT, Defence, what_comes_of

pytestmark = pytest.mark.once


@pytest.mark.parametrize("defence", DEFENCES, ids=lambda defence: defence.name)
def test_defence_stands_in_the_code_once(defence: Defence) -> None:
    source = (ROOT / defence.file).read_text()
    assert source.count(defence.line) == 1
    if defence.file.endswith(".py"):  # of a script for browsers, its tests would tell
        ast.parse(source.replace(defence.line, defence.without))


@pytest.mark.parametrize("defence", DEFENCES, ids=lambda defence: defence.name)
def test_its_tests_are_there(defence: Defence) -> None:
    paths = [word for word in defence.tests.split() if word.startswith("tests/")]
    assert paths
    assert all((ROOT / path).exists() for path in paths)


PROJECT = {
    "guard.py": "def is_let_in(name):\n    return name == 'ada'\n",
    "tests/test_guard.py": """
import os
import pytest
from guard import is_let_in
def test_ada(): assert is_let_in("ada")
def test_mallory(): assert not is_let_in("mallory")
def test_of_another_matter(): assert False
@pytest.fixture
def missing(): raise LookupError("a part of the machine")
def test_that_cannot_run(missing): assert not is_let_in("mallory")
def test_that_crashes(): is_let_in("mallory") and os.abort()
def test_that_always_ends_so(): os.abort()
""",
}


@pytest.mark.slow
@pytest.mark.thorough
@pytest.mark.parametrize(
    ("tests", "outcome"),
    [
        ("tests/test_guard.py -k mallory", RED),
        ("tests/test_guard.py -k ada", NOT_NOTICED),
        ("tests/test_guard.py -k another", BROKEN),
        ("tests/test_guard.py -k cannot_run", BROKEN),
        ("tests/test_guard.py -k nobody", BROKEN),
        ("tests/test_guard.py -k crashes", RED),
        ("tests/test_guard.py -k always", BROKEN),
    ],
)
def test_red_is_what_only_the_missing_line_makes_red(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tests: str, outcome: str
) -> None:
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(defences, "ROOT", tmp_path)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # it uses none, and they take long
    gone = Defence("only ada is let in", "guard.py", "name == 'ada'", "True", tests)
    assert what_comes_of(gone) == outcome
