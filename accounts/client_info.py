"""Where does a request come from? The address and the browser, as far as they can be believed."""

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

from accounts.log_format import hide_secrets

# What every request asks and few clients answer differently is worked out once for each answer.
MOST_KNOWN = 512

BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def client_ip(request: HttpRequest) -> str:
    """The client's address.

    Threat: anybody may send an `X-Forwarded-For` header. It is read only behind
    `TRUSTED_PROXIES` proxies, and then only the entry that the outermost of them wrote.
    """
    address = request.META.get("REMOTE_ADDR") or "127.0.0.1"
    proxies = settings.TRUSTED_PROXIES
    if proxies:
        forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",")]
        address = forwarded[-min(proxies, len(forwarded))] or address
    return _as_address(address)


@lru_cache(maxsize=MOST_KNOWN)
def _as_address(text: str) -> str:
    try:
        found = ip_address(text)
    except ValueError:
        return "127.0.0.1"
    if isinstance(found, IPv6Address):
        # Surprise: a dual-stack socket says ::ffff:192.0.2.1, and its /64 would be the whole of
        # IPv4. And fe80::1%eth0 names a zone, any text at all, which PostgreSQL takes for none.
        return str(found.ipv4_mapped or IPv6Address(int(found)))
    return str(found)


def client_network(request: HttpRequest) -> str:
    """What counts as one network for limits: an IPv4 address, or an IPv6 /64 (one customer's)."""
    address = ip_address(client_ip(request))
    if isinstance(address, IPv6Address):
        return str(ip_network(f"{address}/64", strict=False))
    return str(address)


def user_agent(request: HttpRequest) -> str:
    """The browser in a few words ("Chrome on Linux"), or the start of an unknown agent's name."""
    # Not `request.headers`, which makes a second dictionary of all of them, for every request.
    return _in_few_words(request.META.get("HTTP_USER_AGENT", ""))


@lru_cache(maxsize=MOST_KNOWN)
def _in_few_words(agent: str) -> str:
    browser = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    if browser and system:
        return f"{browser} on {system}"
    # Threat: a program may send anything under this name, its token too by mistake.
    return hide_secrets(re.sub(r"[^\x20-\x7e]", "", agent))[:40] or "unknown"
