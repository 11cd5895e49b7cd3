"""How do several threads read Python source at once? One after the other.

CPython 3.11 counts how deep it is in a syntax tree once for all threads. Where the garbage
collector lets another one parse in between, `ast.parse` raises `SystemError`; `inspect` parses to
find a class.
"""

import ast
from threading import RLock

reading = RLock()


def parse(source: str) -> ast.Module:
    """The syntax tree of a file."""
    with reading:
        return ast.parse(source)
