"""Which uses of a device are odd, and how odd? The rules and the policy, without a request."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.core import mail
from django.test import RequestFactory
from pytest_django import Settings

from accounts.models import User
from accounts.suspicion.history import MOST, History, Sighting, agent_of, range_of, sighting_of
from accounts.suspicion.notify import tell_user
from accounts.suspicion.policy import Action, Verdict, judge
from accounts.suspicion.rules import RULES, Use
from tests.accounts.people import make
from tests.log_reader import reading

pytestmark = pytest.mark.once

HOME, HOME_V6 = "192.0.2.1", "2001:db8:1::1"
MOBILE, ELSEWHERE, ELSEWHERE_V6 = "198.51.100.7", "203.0.113.9", "2a02:1234::9"
FIREFOX, CHROME = "Firefox on Linux", "Chrome on Windows"
PHONE, PHONE_AS_DESKTOP = "Chrome on Android", "Chrome on Linux"
START = 1_763_719_200

Step = tuple[int, str, str]  # seconds since the login, address, browser


def seen(seconds: int, ip: str, agent: str) -> Sighting:
    return Sighting(range_of(ip), agent_of(agent), START + seconds)


def live(*steps: Step, login: tuple[str, str] = (HOME, FIREFOX)) -> list[Verdict]:
    """What is thought of each use of a device, one after the other, as its record remembers."""
    ip, agent = login
    raw: object = {}
    verdicts = []
    for step in steps:
        past = History.decode(raw, ip=ip, user_agent=agent, created=START)
        verdicts.append(judge(past, Use(seen(*step))))
        if verdicts[-1].changed:
            raw = verdicts[-1].history.encode()
    return verdicts


def worst(verdicts: list[Verdict]) -> Action:
    return max(verdict.action for verdict in verdicts)


# --- what honest people do -----------------------------------------------------------------

ON_THE_TRAIN = [f"{first}.0.2.1" for first in range(81, 91)]
HONEST: dict[str, tuple[Action, list[Step]]] = {
    "steady use": (Action.NOTHING, [(n * 60, HOME, FIREFOX) for n in range(100)]),
    "another address of the same provider": (
        Action.NOTHING,
        [(60, "192.0.2.200", FIREFOX), (90, "192.0.77.3", FIREFOX), (95, HOME, FIREFOX)],
    ),
    "IPv6 instead of IPv4": (Action.NOTE, [(60, HOME_V6, FIREFOX)]),
    "IPv4 and IPv6 in turns": (
        Action.NOTE,
        [(n, (HOME, HOME_V6)[n % 2], FIREFOX) for n in range(50)],
    ),
    "another address of the same IPv6 provider": (
        Action.NOTE,
        [(60, HOME_V6, FIREFOX), (70, "2001:db8:ffff::2", FIREFOX)],
    ),
    "from home to the office": (Action.NOTE, [(7200, ELSEWHERE, FIREFOX)]),
    "every day between two networks": (
        Action.NOTE,
        [(n * 14400, (HOME, MOBILE)[n % 2], FIREFOX) for n in range(1, 40)],
    ),
    "out of the Wi-Fi and back": (
        Action.NOTE,
        [(100, MOBILE, FIREFOX), (130, HOME, FIREFOX)],
    ),
    "a train through ten networks": (
        Action.NOTE,
        [(n * 100, ip, FIREFOX) for n, ip in enumerate(ON_THE_TRAIN)],
    ),
    "a phone that cannot decide": (
        Action.NOTIFY,
        [(n * 5, (HOME, MOBILE)[n % 2], FIREFOX) for n in range(100)],
    ),
    "the same with IPv6 between": (
        Action.NOTIFY,
        [(n * 5, (HOME, MOBILE, HOME_V6, ELSEWHERE_V6)[n % 4], FIREFOX) for n in range(100)],
    ),
}


@pytest.mark.parametrize("name", HONEST)
def test_what_honest_people_do_ends_nothing(name: str) -> None:
    expected, steps = HONEST[name]
    assert worst(live(*steps)) == expected


def test_an_update_of_the_browser_is_nothing() -> None:
    header = "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0"
    requests = [
        RequestFactory().get("/", headers={"User-Agent": header.format(version)})
        for version in (143, 144)
    ]
    older, newer = map(sighting_of, requests)
    verdict = judge(History((older,)), Use(newer))
    assert (verdict.action, verdict.changed) == (Action.NOTHING, False)


def test_an_update_of_a_program_is_nothing() -> None:
    login = (HOME, "python-httpx/0.28.1")
    verdicts = live((60, HOME, "python-httpx/0.29.0"), login=login)
    assert worst(verdicts) == Action.NOTHING
    assert worst(live((60, HOME, "curl/8.5.0"), login=login)) == Action.NOTIFY


def test_the_desktop_site_is_the_same_browser() -> None:
    steps = [(n * 5, HOME, (PHONE, PHONE_AS_DESKTOP)[n % 2]) for n in range(20)]
    assert worst(live(*steps, login=(HOME, PHONE))) == Action.NOTHING


def test_no_rules_but_those_about_browsers_can_end_a_device() -> None:
    """Networks change by themselves, so that all of it together stays below the threshold."""
    moving = [rule.weight for rule in RULES if rule.name in ("new_network", "two_places")]
    moving += [rule.weight for rule in RULES if rule.name == "new_protocol"]
    assert len(moving) == 3
    assert sum(moving) < site_settings.SUSPICION_PROFILES["default"]["end_device"]


# --- what thieves do -----------------------------------------------------------------------

THEFTS: dict[str, tuple[list[Step], str]] = {
    "another network and browser": (
        [(60, ELSEWHERE, CHROME)],
        "new network and new browser at once",
    ),
    "the same by IPv6": (
        [(60, ELSEWHERE_V6, CHROME)],
        "new network and new browser at once",
    ),
    "first the one, then the other": (
        [(60, ELSEWHERE, FIREFOX), (1800, ELSEWHERE, CHROME)],
        "new network and new browser",
    ),
    "first the other, then the one": (
        [(60, HOME, CHROME), (1800, ELSEWHERE, CHROME)],
        "new network and new browser",
    ),
    "beside its owner, in the same network": (
        [(60 + n, HOME, (CHROME, FIREFOX)[n % 2]) for n in range(4)],
        "new browser and used in two places at once",
    ),
}


@pytest.mark.parametrize("name", THEFTS)
def test_a_theft_ends_the_device(name: str) -> None:
    steps, sentence = THEFTS[name]
    verdicts = live(*steps)
    assert worst(verdicts) == Action.END_DEVICE
    assert next(verdict for verdict in verdicts if verdict.action.ends).sentence == sentence


def test_a_thief_in_the_same_network_by_the_same_browser_is_not_seen() -> None:
    """The honest limit, written down in docs/security.md."""
    assert worst(live((60, HOME, FIREFOX))) == Action.NOTHING


def test_a_rule_counts_for_an_hour_and_no_longer() -> None:
    verdicts = live((0, ELSEWHERE, FIREFOX), (3599, ELSEWHERE, CHROME))
    assert verdicts[-1].action == Action.END_DEVICE
    verdicts = live((0, ELSEWHERE, FIREFOX), (3600, ELSEWHERE, CHROME))
    assert verdicts[-1].action == Action.NOTIFY


def test_what_was_told_is_not_told_again() -> None:
    actions = [verdict.action for verdict in live(*[(n, ELSEWHERE, FIREFOX) for n in range(5)])]
    assert actions == [Action.NOTE] + [Action.NOTHING] * 4


# --- logins, reuse, profiles ------------------------------------------------------------------

FACTS: dict[str, tuple[dict[str, Any], dict[str, Action], str]] = {
    "a known browser": ({}, {"default": Action.NOTHING, "strict": Action.NOTHING}, ""),
    "a new device": (
        {"new_device": True},
        {"default": Action.NOTIFY, "strict": Action.END_DEVICE},
        "login from a new device",
    ),
    "a new device after four failures": (
        {"new_device": True, "failed_logins": 4},
        {"default": Action.NOTIFY, "strict": Action.END_DEVICE},
        "login from a new device",
    ),
    "a new device after five failures": (
        {"new_device": True, "failed_logins": 5},
        {"default": Action.NOTIFY, "strict": Action.END_DEVICE},
        "login from a new device and many failed logins before it at once",
    ),
    "a refresh token twice": (
        {"reused": True},
        {"default": Action.END_DEVICE, "strict": Action.END_ALL},
        "refresh token used twice",
    ),
}


@pytest.mark.parametrize("profile", ["default", "strict"])
@pytest.mark.parametrize("name", FACTS)
def test_other_facts_are_judged_by_the_same_policy(
    name: str, profile: str, settings: Settings
) -> None:
    settings.SUSPICION = settings.SUSPICION_PROFILES[profile]
    facts, expected, sentence = FACTS[name]
    verdict = judge(History(), Use(seen(0, HOME, FIREFOX), **facts))
    assert (verdict.action, verdict.sentence) == (expected[profile], sentence)


def test_off_is_off(settings: Settings) -> None:
    settings.SUSPICION = settings.SUSPICION_PROFILES["off"]
    assert worst(live((60, ELSEWHERE, CHROME))) == Action.NOTHING


@pytest.mark.parametrize("profile", site_settings.SUSPICION_PROFILES)
def test_a_profile_names_actions_in_their_order(profile: str) -> None:
    thresholds = site_settings.SUSPICION_PROFILES[profile]
    actions = [Action[name.upper()] for name in thresholds]
    assert actions == sorted(actions)
    assert list(thresholds.values()) == sorted(thresholds.values())


def test_every_rule_has_a_name_a_weight_and_a_reason_of_its_own() -> None:
    for one, other in permutations(RULES, 2):
        assert one.name != other.name
        assert one.reason != other.reason
    assert all(rule.weight > 0 for rule in RULES)
    assert len(" and ".join(rule.reason for rule in RULES[2:])) <= 120, "fits into an event"


# --- what is remembered ------------------------------------------------------------------------


def test_two_who_share_a_credential_are_not_written_down_each_time() -> None:
    """Threat: each request of both would be a write to the store."""
    steps = [(n, (HOME, MOBILE)[n % 2], FIREFOX) for n in range(1, 200)]
    assert sum(verdict.changed for verdict in live(*steps)) < 6


def test_a_history_stays_short() -> None:
    steps = [(n * 7200, f"{n}.0.2.1", FIREFOX) for n in range(1, 100)]
    history = live(*steps)[-1].history
    assert len(history.sightings) == MOST + 1
    assert history.sightings[0].network == range_of(HOME)
    assert len(history.told) == 1


ILL_FORMED: dict[str, object] = {
    "nothing": None,
    "a list": [1, 2],
    "a text": "x" * 1000,
    "no sightings": {"seen": None, "told": {}},
    "a sighting too short": {"seen": [["a", "b"]], "told": {}},
    "a time that is none": {"seen": [["a", "b", "c"]], "told": {}},
    "a rule at no time": {"seen": [], "told": {"new_network": "now"}},
    "told is a number": {"seen": [], "told": 7},
    "nested": {"seen": [[["a"], {}, 1]], "told": {}},
}


@pytest.mark.parametrize("name", ILL_FORMED)
def test_a_history_that_is_none_breaks_nothing(name: str) -> None:
    raw = ILL_FORMED[name]
    past = History.decode(raw, ip=HOME, user_agent=FIREFOX, created=START)
    assert past == History((seen(0, HOME, FIREFOX),))
    assert judge(past, Use(seen(9, ELSEWHERE, CHROME))).action == Action.END_DEVICE


def test_a_login_without_an_address_gives_no_suspicion() -> None:
    past = History.decode({}, ip="", user_agent="", created=START)
    assert judge(past, Use(seen(9, ELSEWHERE, CHROME))).action == Action.NOTHING


def country_of(ip: str) -> str:
    return "NL" if ip.startswith("203.") else "DE"


def test_a_lookup_of_places_can_stand_in_the_settings(settings: Settings) -> None:
    settings.NETWORK_LOOKUP = f"{__name__}.country_of"
    request = RequestFactory().get("/", REMOTE_ADDR=ELSEWHERE)
    assert sighting_of(request).network == "NL"


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("192.0.2.1", "192.0.0.0/16"),
        ("2001:db8:1::1", "2001:db8::/32"),
        ("fe80::1%eth0", "fe80::/32"),
        ("not an address", ""),
    ],
)
def test_a_network_is_what_a_provider_may_have(ip: str, expected: str) -> None:
    assert range_of(ip) == expected


# --- mail ------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("backend", "cause"),
    [("smtp", "ConnectionRefusedError"), ("filebased", "NotADirectoryError")],
)
def test_a_mail_that_cannot_be_sent_breaks_nothing_and_is_told(
    backend: str, cause: str, settings: Settings
) -> None:
    """R94: the line names nobody's address and quotes no server."""
    ada = make("ada")
    settings.EMAIL_BACKEND = f"django.core.mail.backends.{backend}.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    settings.EMAIL_FILE_PATH = "/dev/null/mail" if backend == "filebased" else None
    with reading() as log:
        tell_user(RequestFactory().get("/"), ada.pk, "new network", ended=False)
    line = log.only("mail_not_sent")
    assert (line["level"], line["cause"]) == ("error", f"mail: {cause}")
    assert "ada@example.org" not in log.text


@pytest.mark.django_db(transaction=True)
def test_nobody_is_mailed_who_has_no_address_or_is_gone() -> None:
    ada = make("ada")
    User.objects.update(email="")
    tell_user(RequestFactory().get("/"), ada.pk, "new network", ended=False)
    User.objects.all().delete()
    tell_user(RequestFactory().get("/"), ada.pk, "new network", ended=False)
    assert mail.outbox == []
