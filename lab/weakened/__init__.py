"""What happens when one defence is taken out? Eight flows, each weak on purpose, to be attacked.

Each is a sound strategy with one thing changed, over the same views, at `/lab/weakened/<key>/`
while the lab is on. They are no rows of the comparison: nothing here is to be copied. What they
issue carries a name of theirs, so that it opens nothing else, and nothing else opens them: only
who logs in with a weak one is exposed by it. (`jwt-naive`, which is a row, is weak as well.)
"""

from importlib import import_module

from django.apps import apps

from lab.weakened.row import Weakened

__all__ = ["WEAKENED", "Weakened", "weakened"]

_ROWS = {"sessions_api": "lab.weakened.of_sessions", "jwt_api": "lab.weakened.of_tokens"}

WEAKENED: tuple[Weakened, ...] = tuple(
    row
    for app, module in _ROWS.items()
    if apps.is_installed(app)
    for row in import_module(module).ROWS
)


def weakened(key: str) -> Weakened:
    """The row of that key."""
    return next(row for row in WEAKENED if row.key == key)
