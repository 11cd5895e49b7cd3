"""What is one weak variant? A sound strategy, without one defence."""

from dataclasses import dataclass
from typing import ClassVar

from lab.strategies.row import Strategy


@dataclass(frozen=True, kw_only=True)
class Weakened(Strategy):
    """A row that is never among the strategies. `weak`, here never empty, is what it teaches.

    `sound` is the key of the strategy that it was made of, and `removed` what was taken out, in
    words. `checks_csrf` and `takes_any_body` say what its mount leaves out (`lab.weakened.urls`).
    """

    sound: str
    removed: str
    checks_csrf: bool = True
    takes_any_body: bool = False

    under: ClassVar[str] = "/lab/weakened/"
