"""In which ways can a server check a credential? Eight of them, as data: the comparison's rows.

Each is a flow over the same views, and only the check differs. All are mounted at once, while
the lab is on, at `/lab/strategies/<key>/`, and pass the same contract suite as the two
registered flows; where one must answer otherwise, `lab.differences` says so.
"""

from importlib import import_module

from django.apps import apps

from lab.strategies.row import Strategy

__all__ = ["STRATEGIES", "Strategy", "strategy"]

# A flow that was taken out of the project takes its strategies along.
_ROWS = {"sessions_api": "lab.strategies.of_sessions", "jwt_api": "lab.strategies.of_tokens"}

STRATEGIES: tuple[Strategy, ...] = tuple(
    row
    for app, module in _ROWS.items()
    if apps.is_installed(app)
    for row in import_module(module).ROWS
)


def rows_of(flow: str) -> str:
    """The file that has the strategies of a registered flow."""
    return f"{_ROWS[f'{flow}_api'].replace('.', '/')}.py"


def strategy(key: str) -> Strategy:
    """The row of that key."""
    return next(row for row in STRATEGIES if row.key == key)
