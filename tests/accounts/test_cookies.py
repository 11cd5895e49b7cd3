"""Whose cookies may come only once, and what does the look cost? (A51)"""

import time

import pytest

from accounts.cookies import is_tossed, our_cookies

pytestmark = pytest.mark.once

SESSION = "__Host-sessionid"
HEADERS: dict[str, tuple[str, bool]] = {
    "nothing": ("", False),
    "one each": (f"{SESSION}=a; __Host-csrftoken=b; __Host-refresh=c", False),
    "its name as a value": (f"{SESSION}=a; x={SESSION}", False),
    "a name that ends with ours": (f"{SESSION}=a; x{SESSION}=b", False),
    "other letters": (f"{SESSION}=a; __host-sessionid=b", False),
    "nameless, twice": ("=a; =b; ; ;", False),
    "twice": (f"{SESSION}=a; {SESSION}=b", True),
    "twice, the same": (f"{SESSION}=a; {SESSION}=a", True),
    "three times": (f"{SESSION}=a; {SESSION}=b; {SESSION}=c", True),
    "without a value": (f"{SESSION}; {SESSION}=a", True),
    "without spaces": (f"{SESSION}=a;{SESSION}=b", True),
    "an en quad, as WSGI passes it on": (f"\xe2\x80\x80{SESSION}=a", True),
    "an en quad, decoded": (f"\u2000{SESSION}=a", True),
    "as many as a browser keeps": ("".join(f"c{i}=1; " for i in range(900)), False),
    "more than any browser keeps": ("".join(f"c{i}=1; " for i in range(1100)), True),
    "a vertical tab": (f"\v{SESSION}=a", True),
    "a next line, as WSGI passes it on": (f"{SESSION}\xc2\x85=a", True),
}


@pytest.mark.parametrize(("header", "refused"), HEADERS.values(), ids=HEADERS)
def test_a_cookie_of_ours_may_come_once(header: str, refused: bool) -> None:
    assert is_tossed(header) is refused


def test_every_cookie_that_the_settings_name_is_ours(settings) -> None:
    assert our_cookies() >= {SESSION, "__Host-csrftoken", "__Host-refresh", "__Host-known-device"}
    settings.NEW_COOKIE_NAME = "something-new"
    assert is_tossed("something-new=1; something-new=2")


@pytest.mark.parametrize("chunk", [";", "a;", f"{SESSION}=a;", "\u2000;", " ;"])
def test_a_megabyte_of_cookies_takes_no_second(chunk: str) -> None:
    header = chunk * (1_000_000 // len(chunk))

    def seconds() -> float:
        start = time.perf_counter()
        is_tossed(header)
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 1
