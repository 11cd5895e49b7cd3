"""Which cookies make a browser known, and which are worth nothing? (R90, A59)"""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.core import signing
from django.http import HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from accounts.known_devices import known_device, remember_device
from accounts.throttling import limits

pytestmark = pytest.mark.once


def cookie_for(username: str) -> str:
    response = HttpResponse()
    remember_device(response, username)
    return response.cookies[settings.KNOWN_DEVICE_COOKIE_NAME].value


def number_in(text: str, username: str = "ada") -> str | None:
    request = RequestFactory().post("/")
    request.COOKIES[settings.KNOWN_DEVICE_COOKIE_NAME] = text
    return known_device(request, username)


def with_another_key(text: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "SECRET_KEY", "x" * 50)
        return cookie_for("ada")


def changed(index: int) -> Callable[[str], str]:
    def change(text: str) -> str:
        letter = "A" if text[index] != "A" else "B"
        return text[:index] + letter + text[index + 1 :]

    return change


def in_the_future(text: str) -> str:
    number, _, mac = text.split(":")
    return f"{number}:{signing.b62_encode(2**33)}:{mac}"


WORTHLESS: dict[str, Callable[[str], str]] = {
    "nothing": lambda text: "",
    "another number": changed(0),
    "another time": changed(24),
    "another signature": changed(30),
    "a time in the future": in_the_future,
    "no signature": lambda text: text.rpartition(":")[0],
    "only the number": lambda text: text.partition(":")[0],
    "only colons": lambda text: "::",
    "of another account": lambda text: cookie_for("grace"),
    "of the name in capitals": lambda text: cookie_for("ADA"),
    "of a longer name": lambda text: cookie_for("ada "),
    "signed with another key": with_another_key,
    "signed for another purpose": lambda text: signing.TimestampSigner().sign("number"),
    "a signed object": lambda text: signing.dumps("ada"),
    "two in one": lambda text: f"{text}:{text}",
    "4 kB": lambda text: "x" * 4096,
    "not ASCII": lambda text: f"\u00e9{text}",
    "a NUL": lambda text: f"{text}\0",
}


@pytest.mark.parametrize("change", WORTHLESS.values(), ids=WORTHLESS)
def test_worthless(change: Callable[[str], str]) -> None:
    text = cookie_for("ada")
    assert number_in(text), "or this test could not fail"
    assert number_in(change(text)) is None


def test_a_browser_without_a_cookie_is_unknown() -> None:
    assert known_device(RequestFactory().post("/"), "ada") is None


def test_a_name_of_any_text_can_be_asked_for() -> None:
    for name in ("", "\0", "\ud800", "n\u00e4me", "x" * 10_000):
        assert number_in(cookie_for("ada"), name) is None


def test_the_name_does_not_stand_in_the_cookie() -> None:
    texts = [cookie_for(name) for name in ("a", "a" * 150)]
    assert len(texts[0]) == len(texts[1])


def test_two_cookies_of_one_account_are_two_browsers() -> None:
    assert number_in(cookie_for("ada")) != number_in(cookie_for("ada"))


@pytest.mark.parametrize("age", [0, -1])
def test_no_browser_is_known_where_it_is_turned_off(settings: Settings, age: int) -> None:
    settings.KNOWN_DEVICE_SECONDS = age
    assert number_in(cookie_for("ada")) is None


def test_a_known_browser_moves_counters_of_its_own_only() -> None:
    request = RequestFactory().post("/")
    before = {limit.key for limit in limits(request, "ada")}
    request.COOKIES[settings.KNOWN_DEVICE_COOKIE_NAME] = cookie_for("ada")
    assert before.isdisjoint(limit.key for limit in limits(request, "ada"))
    assert before & {limit.key for limit in limits(request, "grace")}
