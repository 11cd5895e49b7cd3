"""From where has a device been used? Where its login was, and a few places since then.

    {"seen": [["203.0.0.0/16", "Chrome on Windows", 1763719200], …], "told": {"new_network": …}}

That is kept with the session, or with the token family. A device that stays where it logged in has
an empty one. No database of places is at hand, so a network is the range that a provider may have.
"""

from __future__ import annotations

import re
import time
from dataclasses import astuple, dataclass, field
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string

from accounts.client_info import client_ip, user_agent

MOST = 6
# A browser that was asked for "the desktop site" says that it runs on another system.
TOGGLES = ({"Android", "Linux"}, {"iOS", "macOS"})


@dataclass(frozen=True)
class Sighting:
    """One use of a device: from which network, by which browser, since when (Unix seconds)."""

    network: str
    agent: str
    at: int

    @property
    def protocol(self) -> str:
        return "IPv6" if ":" in self.network else "IPv4"

    def same_place(self, other: Sighting) -> bool:
        """Whether nothing tells the two apart that copies of a credential would differ in."""
        return self.network == other.network and self.same_browser(other)

    def same_browser(self, other: Sighting) -> bool:
        """The same browser on the same system, as far as their names say."""
        browser, _, system = self.agent.partition(" on ")
        other_browser, _, other_system = other.agent.partition(" on ")
        systems = {system, other_system}
        return browser == other_browser and (len(systems) == 1 or systems in TOGGLES)


@dataclass(frozen=True)
class History:
    """The last few places of a device, and which rule spoke when.

    A sighting stays as it began, so that steady use changes nothing and costs no write.
    """

    sightings: tuple[Sighting, ...] = ()
    """Oldest first; the first one is the login's."""
    told: dict[str, int] = field(default_factory=dict)

    def of(self, protocol: str) -> tuple[Sighting, ...]:
        """Those by IPv4, or those by IPv6. A client that has both takes now one, now the other."""
        return tuple(seen for seen in self.sightings if seen.protocol == protocol)

    def followed_by(self, now: Sighting, told: dict[str, int], *, quiet: bool) -> History:
        """The history with one more sighting, if it is one; `quiet` leaves out a known place."""
        before = self.of(now.protocol)
        known = any(now.same_place(seen) for seen in (before if quiet else before[-1:]))
        first, rest = self.sightings[:1], self.sightings[1:]
        added = () if known else (now,)
        return History((*first, *(*rest, *added)[-MOST:]), told)

    def encode(self) -> dict[str, Any]:
        """What is kept; the login's own sighting stands beside it already."""
        since = [list(astuple(seen)) for seen in self.sightings[1:]]
        return {"seen": since, "told": self.told} if since or self.told else {}

    @classmethod
    def decode(cls, raw: object, *, ip: str, user_agent: str, created: int) -> History:
        """The history of a device that logged in from `ip`; anything ill-formed is left out.

        Threat: who can write to the store can lie, but must not make every request fail.
        """
        first = Sighting(network_of(ip), agent_of(user_agent), created)
        if not first.network:
            return cls()
        try:
            since = tuple(Sighting(*row) for row in raw["seen"])  # type: ignore[index]
            told = dict(raw["told"])  # type: ignore[index]
        except (TypeError, KeyError, ValueError):
            return cls((first,))
        types = [type(value) for seen in since for value in astuple(seen)]
        well_typed = types == [str, str, int] * len(since) and all(
            type(name) is str and type(at) is int for name, at in told.items()
        )
        return cls((first, *since[-MOST:]), told) if well_typed else cls((first,))


def sighting_of(request: HttpRequest) -> Sighting:
    """Who is asking now, as far as address and browser can tell."""
    network, agent = network_of(client_ip(request)), agent_of(user_agent(request))
    return Sighting(network, agent, int(time.time()))


def network_of(ip: str) -> str:
    """The network of an address, as `NETWORK_LOOKUP` calls it; nothing if it is no address."""
    return import_string(settings.NETWORK_LOOKUP)(ip)


@lru_cache(maxsize=4096)
def range_of(ip: str) -> str:
    """An IPv4 /16 or an IPv6 /32: about what a provider has, and what its clients roam in.

    `NETWORK_LOOKUP` may name another function, which knows the provider's number, or the country.
    Its answers are compared; they have a colon where the address is IPv6.
    """
    try:
        width = 16 if ip_address(ip).version == 4 else 32
    except ValueError:
        return ""
    return str(ip_network(f"{ip}/{width}", strict=False))


def agent_of(user_agent: str) -> str:
    """`Firefox on Linux`, whichever version; of a program its name without the number."""
    return re.sub(r"[/ ]v?[0-9].*", "", user_agent)
