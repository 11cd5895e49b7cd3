"""Does the time of a failed login tell who has an account? `make login-times` measures it. (R91)

It fails where a median, at any door, is farther than 10 % from that of a wrong password. `pytest`
alone does not collect this file. The hasher is the real one, Argon2. The logins come in random
order, so that whatever else the machine does falls on all of them alike. Where it does much else,
the processor's time says more than the clock's. How much work each login is,
`tests/accounts/test_login_doors.py` asserts.
"""

import random
from statistics import median
from time import perf_counter, process_time

import pytest
from pytest_django import Settings

from accounts.models import User
from authdemo.settings import PASSWORD_HASHERS
from tests.accounts.doors import DOORS, Door
from tests.accounts.people import make
from tests.accounts.racing import browser

ROUNDS = 25
WITHIN = 0.10
PEOPLE = {
    "wrong password": ("ada-1", "not-the-password"),
    "unknown": ("ada-2", "not-the-password"),
    "inactive": ("ada-3", "not-the-password"),
    "inactive, right password": ("ada-3", "ada-3-demo-password"),
    "unusable password": ("ada-4", "not-the-password"),
}


def seconds(door: Door, username: str, password: str) -> tuple[float, float]:
    """How long the answer took: by the clock, and of the processor's time."""
    client = browser()
    began, worked = perf_counter(), process_time()
    response = door.send(client, username, password)
    took = perf_counter() - began, process_time() - worked
    assert response.status_code == door.refusal
    return took


@pytest.mark.django_db
@pytest.mark.timeout(3600)
def test_login_times(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS
    settings.LOGIN_LIMIT_ACCOUNT = settings.LOGIN_LIMIT_NETWORK = 1_000_000
    make("ada-1")
    make("ada-3", is_active=False)
    User.objects.create_user("ada-4")
    for door in DOORS:
        seconds(door, *PEOPLE["unknown"])  # a first one of everything
    took: dict[Door, dict[str, list[tuple[float, float]]]] = {
        door: {who: [] for who in PEOPLE} for door in DOORS
    }
    for _ in range(ROUNDS):
        turns = [(door, who) for door in DOORS for who in PEOPLE]
        random.shuffle(turns)
        for door, who in turns:
            took[door][who].append(seconds(door, *PEOPLE[who]))
    everywhere = {who: [time for door in DOORS for time in took[door][who]] for who in PEOPLE}
    measured = {**{door.name: took[door] for door in DOORS}, "all doors": everywhere}
    with capsys.disabled():
        print(f"\nMedians of {ROUNDS} logins of each kind at each door, in random order")
        for title, times in measured.items():
            print(report(title, times))
    told = {
        (title, who, name): ratio
        for title, times in measured.items()
        for who in PEOPLE
        for name, (_, ratio) in compared(times, who).items()
        if abs(ratio - 1) > WITHIN
    }
    assert told == {}, "these tell who has an account (the clock: on an idle machine only)"


def compared(
    times: dict[str, list[tuple[float, float]]], who: str
) -> dict[str, tuple[float, float]]:
    """By each clock: the median in seconds, and how many times that of a wrong password it is."""
    found = {}
    for clock, name in enumerate(("clock", "processor")):
        middle = median(time[clock] for time in times[who])
        usual = median(time[clock] for time in times["wrong password"])
        found[name] = (middle, middle / usual)
    return found


def report(title: str, times: dict[str, list[tuple[float, float]]]) -> str:
    """A table: medians, and how far each is from that of a wrong password."""
    lines = [f"\n{title}"]
    for who in PEOPLE:
        line = f"  {who:26}"
        for name, (middle, ratio) in compared(times, who).items():
            judged = "within" if abs(ratio - 1) <= WITHIN else "NOT within"
            line += f"  {name} {middle * 1000:6.1f} ms, x {ratio:.3f}, {judged} 10 %"
        lines.append(line)
    return "\n".join(lines)
