"""Is Python source read by one thread at a time?"""

import ast
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from accounts.contract.views import LogoutView
from lab.attacks.held import source_of
from lab.syntax import parse
from tests.accounts.racing import at_once

pytestmark = pytest.mark.once


def test_no_two_threads_parse_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As attacks do, which run side by side and each name the class that held."""
    parsed, inside, most = ast.parse, 0, 0

    def slowly_parsed(*args: Any, **options: Any) -> Any:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.01)
        inside -= 1
        return parsed(*args, **options)

    monkeypatch.setattr(ast, "parse", slowly_parsed)
    calls: list[Callable[[], Any]] = [
        partial(parse, "one = 1"),
        partial(source_of, LogoutView, "def post"),
    ]
    at_once(calls * 3)
    assert most == 1
