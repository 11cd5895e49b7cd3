"""What about the use of a device is odd? Each rule says it in words, and says how odd it is.

Rules see good credentials only. Nothing that somebody without the credential can cause counts
against a device, or they could end it: failed logins are looked at when a login succeeds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from accounts.suspicion.history import History, Sighting

AT_ONCE_SECONDS = 300
MOST_FAILED_LOGINS = 5


@dataclass(frozen=True)
class Use:
    """One use of a good credential, and what else is known of it."""

    seen: Sighting
    new_device: bool = False
    """A password was proven by a browser that the account does not know."""
    failed_logins: int = 0
    """How often somebody failed at that since the account's last login."""
    reused: bool = False
    """A refresh token came that had been exchanged already."""


class Rule(ABC):
    """One thing to notice. Weights are added up and measured by `SUSPICION`'s thresholds."""

    name: ClassVar[str]
    weight: ClassVar[int]
    reason: ClassVar[str]

    def judge(self, before: History, now: Use) -> str | None:
        """The reason in words, if there is one."""
        return self.reason if self.is_odd(before, now) else None

    @abstractmethod
    def is_odd(self, before: History, now: Use) -> bool:
        """Whether this use gives the reason."""


class NewNetwork(Rule):
    """Another provider than before. A phone on its way home does that as well."""

    name, weight, reason = "new_network", 30, "new network"

    def is_odd(self, before: History, now: Use) -> bool:
        known = any(seen.network == now.seen.network for seen in before.sightings)
        return bool(before.sightings) and not known and not is_other_protocol(before, now)


class NewProtocol(Rule):
    """The same browser by IPv6 for the first time, or by IPv4: its network has both."""

    name, weight, reason = "new_protocol", 5, "other internet protocol"

    def is_odd(self, before: History, now: Use) -> bool:
        return is_other_protocol(before, now)


class NewBrowser(Rule):
    """Another browser or system; an update is none. Cookies do not move by themselves."""

    name, weight, reason = "new_browser", 40, "new browser"

    def is_odd(self, before: History, now: Use) -> bool:
        return bool(before.sightings) and not is_known_browser(before, now)


class TwoPlaces(Rule):
    """Two places that take turns within minutes: one goes on while the other is used.

    A phone that leaves its Wi-Fi comes to a new place, and perhaps back; twice back is odd.
    """

    name, weight, reason = "two_places", 30, "used in two places at once"

    def is_odd(self, before: History, now: Use) -> bool:
        line = [*before.of(now.seen.protocol), now.seen]
        returns = [
            seen
            for index, seen in enumerate(line)
            if index
            and not seen.same_place(line[index - 1])
            and any(seen.same_place(earlier) for earlier in line[:index])
            and abs(now.seen.at - seen.at) <= AT_ONCE_SECONDS
        ]
        return len(returns) >= 2


class NewDevice(Rule):
    """A login by a browser that has never been used for this account: see `known_devices`."""

    name, weight, reason = "new_device", 40, "login from a new device"

    def is_odd(self, before: History, now: Use) -> bool:
        return now.new_device


class FailedLogins(Rule):
    """Somebody tried passwords, and then one was right."""

    name, weight, reason = "failed_logins", 20, "many failed logins before it"

    def is_odd(self, before: History, now: Use) -> bool:
        return now.failed_logins >= MOST_FAILED_LOGINS


class ReusedToken(Rule):
    """Two hold the same refresh token. The family ends whatever the policy says (RFC 9700)."""

    name, weight, reason = "reused_token", 100, "refresh token used twice"

    def is_odd(self, before: History, now: Use) -> bool:
        return now.reused


RULES: tuple[Rule, ...] = (
    NewDevice(),
    FailedLogins(),
    ReusedToken(),
    NewNetwork(),
    NewProtocol(),
    NewBrowser(),
    TwoPlaces(),
)


def is_known_browser(before: History, now: Use) -> bool:
    return any(seen.same_browser(now.seen) for seen in before.sightings)


def is_other_protocol(before: History, now: Use) -> bool:
    """A known browser that has come by the other protocol only, so far."""
    comes_first = bool(before.sightings) and not before.of(now.seen.protocol)
    return comes_first and is_known_browser(before, now)
