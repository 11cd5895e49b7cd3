"""Whose address is believed? (R89, A57)"""

import pytest
from django.test import RequestFactory
from pytest_django import Settings

from accounts.client_info import client_ip, client_network, user_agent

pytestmark = pytest.mark.once

PROXY = "10.0.0.1"
FORWARDED: dict[str, tuple[int, str, str]] = {
    "nobody is trusted": (0, "198.51.100.7", PROXY),
    "nobody is trusted, a chain": (0, "198.51.100.7, 203.0.113.9", PROXY),
    "one proxy": (1, "203.0.113.9", "203.0.113.9"),
    "one proxy, the client lies": (1, "198.51.100.7, 203.0.113.9", "203.0.113.9"),
    "two proxies": (2, "203.0.113.9, 10.0.0.2", "203.0.113.9"),
    "two proxies, the client lies": (2, "198.51.100.7, 203.0.113.9, 10.0.0.2", "203.0.113.9"),
    "two proxies, the client lies twice": (
        2,
        "1.1.1.1,2.2.2.2,203.0.113.9,10.0.0.2",
        "203.0.113.9",
    ),
    "two proxies, one came alone": (2, "203.0.113.9", "203.0.113.9"),
    "a proxy that sends nothing": (1, "", PROXY),
    "an empty entry": (1, "203.0.113.9, ", PROXY),
    "not an address": (1, "unknown", "127.0.0.1"),
    "a header of a megabyte": (1, "x," * 500_000, PROXY),
    "IPv6": (1, "2001:DB8::0001", "2001:db8::1"),
    "IPv6 with a zone": (1, "fe80::1%eth0' OR 1=1", "fe80::1"),
    "SQL": (1, "1.1.1.1'; DROP TABLE accounts_user; --", "127.0.0.1"),
}


@pytest.mark.parametrize("row", FORWARDED)
def test_forwarded_address(settings: Settings, row: str) -> None:
    settings.TRUSTED_PROXIES, forwarded, expected = FORWARDED[row]
    request = RequestFactory().get("/", REMOTE_ADDR=PROXY, headers={"X-Forwarded-For": forwarded})
    assert client_ip(request) == expected


def test_without_a_header_it_is_who_connected(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 2
    assert client_ip(RequestFactory().get("/", REMOTE_ADDR="203.0.113.9")) == "203.0.113.9"


def test_socket_without_an_address_is_this_machine() -> None:
    """A server behind a Unix socket has no address to tell."""
    assert client_ip(RequestFactory().get("/", REMOTE_ADDR="")) == "127.0.0.1"


def test_one_customers_ipv6_addresses_are_one_network() -> None:
    """Threat: a /64 is 2^64 addresses, each with a limit of its own."""
    addresses = ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1", "203.0.113.9")
    requests = [RequestFactory().get("/", REMOTE_ADDR=address) for address in addresses]
    assert [client_network(request) for request in requests] == [
        "2001:db8:0:1::/64",
        "2001:db8:0:1::/64",
        "2001:db8:0:2::/64",
        "203.0.113.9",
    ]


def test_mapped_ipv4_addresses_are_networks_of_their_own() -> None:
    """A dual-stack socket says ::ffff:192.0.2.1; one /64 would hold the whole of IPv4."""
    requests = [
        RequestFactory().get("/", REMOTE_ADDR=f"::ffff:192.0.2.{number}") for number in (1, 2)
    ]
    assert [client_network(request) for request in requests] == ["192.0.2.1", "192.0.2.2"]


AGENTS = {
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36": (
        "Chrome on Linux"
    ),
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0": (
        "Edge on Windows"
    ),
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 15) AppleWebKit/605 Version/18 Safari/605": (
        "Safari on macOS"
    ),
    "Mozilla/5.0 (Linux; Android 16) Gecko/145.0 Firefox/145.0": "Firefox on Android",
    "python-httpx/0.28.1": "python-httpx/0.28.1",
    "": "unknown",
    "\u0000\u0007\u00e9": "unknown",
    "word " * 1000: "word " * 8,
    f"client/1.0 {'k1' * 20}": "client/1.0 …",
}


@pytest.mark.parametrize(("sent", "shown"), AGENTS.items(), ids=range(len(AGENTS)))
def test_browser_in_a_few_words(sent: str, shown: str) -> None:
    assert user_agent(RequestFactory().get("/", headers={"User-Agent": sent})) == shown
