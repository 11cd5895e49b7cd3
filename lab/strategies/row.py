"""What is one row of the comparison? A flow, and how the server checks it on each request."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from rest_framework.authentication import BaseAuthentication

from accounts.contract.flow import Flow
from accounts.mirror import TRUST_SECONDS

ANNOUNCED = (
    "Milliseconds, until the announcement is heard; "
    f"{TRUST_SECONDS:g} seconds if none comes, and Redis is asked from then on."
)


SameSite = Literal["Strict", "Lax", "None"]


@dataclass(frozen=True)
class Strategy:
    """One row: `each_request` says what the server does to check it, in words for a table.

    `variant_of` is the key of the registered flow that it answers like. `lives_after` says for
    how long a credential is taken after its revocation was answered. `weak` is empty, or says
    what is wrong with the strategy: then it is here to be attacked, and never to be copied.
    `looking_back` authenticates who asks what became of a login, by what that has left behind.
    """

    key: str
    flow: Flow
    variant_of: str
    title: str
    each_request: str
    lives_after: str
    weak: str = ""
    looking_back: type[BaseAuthentication] | None = None

    under: ClassVar[str] = "/lab/strategies/"

    @property
    def path(self) -> str:
        """Where its contract is mounted."""
        return f"{self.under}{self.key}/"
