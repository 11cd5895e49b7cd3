"""Who takes part, and how do they come in? ada and grace use the site, mallory attacks it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from accounts.client import FlowClient

NEW_PASSWORD = "seven-swallows-over-the-mill"


@dataclass(frozen=True)
class Person:
    username: str
    password: str = field(repr=False)


# The fixtures `visit(flow)` and `enter(person, flow=the one under test)`.
Visit: TypeAlias = Callable[[str], FlowClient]
Enter: TypeAlias = Callable[..., FlowClient]
