"""Which rows of a long table does `make test` run? Those that are named here; CI runs all."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest


def mostly_in_ci(table: Mapping[Any, Any] | Iterable[Any], *always: Any) -> list[Any]:
    """Parameters with their names as ids; all but those named `always` are left to CI.

    A row is one argument, or a tuple of several.
    """
    rows = dict(table) if isinstance(table, Mapping) else {name: name for name in table}
    assert rows.keys() >= set(always)
    return [
        pytest.param(
            *(row if isinstance(row, tuple) else (row,)),
            id=str(name),
            marks=() if name in always else pytest.mark.thorough,
        )
        for name, row in rows.items()
    ]
