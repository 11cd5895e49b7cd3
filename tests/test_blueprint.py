"""Is `docs/blueprint.md` true? Each call in its diagrams is answered, each name is in the code."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.urls import resolve
from django.utils.module_loading import import_string

from accounts.contract.errors import ContractError

pytestmark = pytest.mark.once

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "blueprint.md").read_text()
DIAGRAMS = "\n".join(re.findall(r"^```mermaid\n(.+?)^```$", PAGE, re.M | re.S))
CALLS = sorted(set(re.findall(r"\b(GET|POST|PATCH|DELETE) (/\S+)", DIAGRAMS)))
NAMES = sorted(set(re.findall(r"\b(?:accounts|sessions_api|jwt_api)(?:\.\w+)+", DIAGRAMS)))


def test_there_are_diagrams() -> None:
    assert len(CALLS) >= 8
    assert len(NAMES) >= 20


def test_every_arrow_goes_between_participants_of_its_diagram() -> None:
    for diagram in re.findall(r"^```mermaid\n(.+?)^```$", PAGE, re.M | re.S):
        declared = set(re.findall(r"^ +participant (\w+) as .+$", diagram, re.M))
        arrows = re.findall(r"^ +(\w+)--?>>(\w+): .+$", diagram, re.M)
        noted = re.findall(r"^ +Note over (\w+)(?:,(\w+))?: .+$", diagram, re.M)
        assert {name for pair in [*arrows, *noted] for name in pair if name} == declared


@pytest.mark.parametrize(("method", "path"), CALLS, ids=lambda value: value)
def test_call_is_answered(method: str, path: str) -> None:
    view: Any = resolve(path).func
    assert hasattr(view.view_class if hasattr(view, "view_class") else view.cls, method.lower())


@pytest.mark.parametrize("name", NAMES)
def test_name_is_in_the_code(name: str) -> None:
    for parts in range(name.count(".")):
        module, *attributes = name.rsplit(".", parts + 1)
        try:
            found = import_string(f"{module}.{attributes[0]}")
        except ImportError:
            continue
        for attribute in attributes[1:]:
            found = getattr(found, attribute)
        return
    pytest.fail(f"no {name}")


def test_every_setting_and_code_is_one_of_ours() -> None:
    for name in set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", PAGE)):
        assert hasattr(settings, name), name
    codes = {kind.default_code for kind in ContractError.__subclasses__()}
    assert set(re.findall(r"401 (\w+)", DIAGRAMS)) <= codes
