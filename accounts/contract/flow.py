"""What must any way of staying logged in be able to do? This page is the answer.

Both flows implement :class:`Flow`: `sessions_api.flow.Flow` and
`jwt_api.flow.Flow`. The views of the contract know nothing else of them, so a
third flow is one more subclass, registered in its `AppConfig.ready`.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from django.http import HttpRequest, HttpResponseBase
from rest_framework.authentication import BaseAuthentication

if TYPE_CHECKING:
    from accounts.models import User


def new_device_id() -> str:
    """A name for one login. It opens nothing: 64 bits keep two logins apart, not a secret."""
    return secrets.token_urlsafe(8)


@dataclass(frozen=True)
class Credential:
    """What the client presents next time, as the contract's `credential` object shows it.

    `token` is the access token of a Bearer scheme, None where a cookie says it all.
    `expires_in` counts seconds: how long `token` is good for, or, without one, how
    long the cookie is if it stays unused.
    `secret` is what goes into an HttpOnly cookie and nowhere else; flows that leave
    their cookie to a middleware keep it None. It is kept out of `repr`, so that no
    log line or error page can show it.
    """

    scheme: str
    token: str | None = field(repr=False)
    expires_in: int
    user_id: int
    device: str
    secret: str | None = field(default=None, repr=False)
    secret_expires_in: int | None = None


class Presented(NamedTuple):
    """Who is asking, as far as the credential alone can tell: `request.auth` in every view.

    Times are Unix seconds. `epoch` is the user's epoch when the credential was
    issued; views that read the user's row compare it (see `ContractView.current_user`).
    `scope` names what a limited credential may do; None is the user's own login, which may
    do everything.
    """

    flow: str
    user_id: int
    epoch: int
    device: str
    roles: tuple[str, ...]
    scope: frozenset[str] | None = None


@dataclass(frozen=True)
class Device:
    """One login that its user can see and end: a session, or a token family.

    `ends_within` counts seconds: for how long a request can still succeed after
    this device was ended. 0 means "the very next request is refused".
    An outside program that a user gave a limited credential has a `name`, and a `scope`
    in the form of RFC 8693 ("profile:read devices:read"); both are empty for a login.
    """

    id: str
    flow: str
    created: datetime
    last_seen: datetime
    expires: datetime
    ip: str
    user_agent: str
    ends_within: int
    name: str = ""
    scope: str = ""


@dataclass(frozen=True)
class EndedDevice:
    """Which device a logout ended, for the audit trail."""

    user_id: int
    device: str


@dataclass(frozen=True)
class Remembered:
    """One thing that the server keeps because of a login: shown beside the flow, never a secret.

    `where` names the store ("Redis", "database"), `name` the key or row, `value` its
    content in words, `expires_in` the seconds until the store drops it by itself.
    """

    where: str
    name: str
    value: str
    expires_in: int | None


@dataclass(frozen=True)
class Generation:
    """One secret of a login whose secrets are each used once. `state` is a word for a person.

    The first has the number 1. `issued` is None where nothing is kept of it but that it was.
    """

    number: int
    state: str
    issued: datetime | None


@dataclass(frozen=True)
class Family:
    """One login as its secrets, newest first: each was made in exchange for the one before it.

    `reused`: it was ended because one of them came again after it had been exchanged.
    """

    device: str
    live: bool
    reused: bool
    state: str
    generations: tuple[Generation, ...]


class Flow(ABC):
    """One of the two ways: it issues, renews and revokes credentials, and knows who presents one.

    Every method may raise `StoreUnavailable` (503): a flow that cannot reach its
    store says so instead of guessing.
    """

    key: ClassVar[str]
    """The word in URLs, registries and test ids: `sessions`, `jwt`."""

    title: ClassVar[str]
    """The name a person reads: "Sessions", "JWT"."""

    icon: ClassVar[str]
    """One character that stands beside the title wherever colour does."""

    scheme: ClassVar[str]
    """`Session` or `Bearer`: `credential.scheme`, and the challenge of a 401."""

    summary: ClassVar[str]
    """One sentence for the home page: what the client holds, what the server remembers."""

    authentication: ClassVar[type[BaseAuthentication]]
    """Who is asking? The DRF authentication class of all views that need an answer.

    It returns None when the request carries no credential of this flow, a pair
    `(user, Presented)` when it carries a good one, and raises one of
    `accounts.contract.errors` when it carries a bad one.
    """

    @abstractmethod
    def issue(self, request: HttpRequest, user: User) -> Credential:
        """Start a device for a user whose password was just proven.

        A credential that came along with the request is never continued: a planted
        one would hand the attacker the victim's login (session fixation).
        """

    @abstractmethod
    def renew(self, request: HttpRequest) -> Credential:
        """Exchange the presented long-lived secret for a fresh one of the same device.

        Idle time starts again, the absolute end stays. Raises `NotAuthenticated`,
        `CredentialInvalid`, `CredentialExpired`, `CredentialRevoked` or
        `CredentialReused`; whatever had to be revoked is committed before it raises.
        """

    @abstractmethod
    def revoke(self, request: HttpRequest) -> EndedDevice | None:
        """End the device that the request belongs to and say which one that was.

        Idempotent: a missing, expired, malformed or foreign credential is None, not an
        error. Returning means that the store has confirmed.
        """

    @abstractmethod
    def revoke_device(self, user_id: int, device: str) -> bool:
        """End one device of a user; False when this flow has no such live device."""

    @abstractmethod
    def devices(self, user_id: int) -> list[Device]:
        """The user's live devices, newest use first."""

    @abstractmethod
    def remembered(self, user_id: int) -> list[Remembered]:
        """Everything the server keeps for this user's logins, for a learner to look at."""

    def families(self, user_id: int) -> list[Family]:
        """The user's logins as families of secrets, newest first, for a learner to look at.

        None where a login goes on with a secret that is used again and again.
        """
        return []

    def serving(self) -> None:
        """Hear that this process is about to serve. A store that is away keeps nobody from it."""

    def user_changing(self, user_id: int) -> None:
        """Hear, inside the transaction, that the user's row changes: roles, active, epoch, or gone.

        From its return on, nothing may be answered from an older copy of the row, however the
        transaction ends. Raise, and the change fails: half a logout-all is worse than none.
        A raised epoch has made every older credential worthless; this is "revoke all".
        """

    def user_changed(self, user_id: int) -> None:
        """Hear that the change is committed: bring copies up to date, forget dead devices."""

    def purge(self, *, batch: int, dry_run: bool = False) -> Iterator[Counter[str]]:
        """Delete, batch by batch, what the store still holds of secrets whose time is over.

        Only what can decide nothing any more may go: whatever is presented afterwards gets the
        refusal that it would have got before. A secret is good until its end and LEEWAY_SECONDS,
        by clocks that may be behind this one, so that a margin has to be added.

        A batch deletes about `batch` rows in one short transaction. It is committed when its
        counts, by name ("refresh tokens"), are yielded: the caller rests in between, or stops for
        good. Requests, and a second purge, may be under way at the same time. With `dry_run`
        nothing is deleted, and the counts are those of what would be.

        Nothing to do is the default: a store whose entries all have a TTL needs no purge.
        """
        return iter(())

    @abstractmethod
    def deliver(self, response: HttpResponseBase, credential: Credential) -> None:
        """Put the credential's secret where only the browser's cookie jar sees it."""

    @abstractmethod
    def discard(self, response: HttpResponseBase) -> None:
        """Tell the browser to drop this flow's cookie, after a logout that succeeded."""
