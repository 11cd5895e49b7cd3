"""Does `--check` tell what was reached from what was not, and from what nobody measured?"""

from __future__ import annotations

from collections import Counter
from io import StringIO

import pytest
from rich.console import Console

from lab.benchmark.check import (
    MISSED,
    NOT_MEASURED,
    PEERS,
    REACHED,
    TARGETS,
    Target,
    against,
    against_peers,
    check,
)
from lab.benchmark.rows import Row
from lab.benchmark.subjects import FLOORS, ORDER, SUBJECTS

pytestmark = pytest.mark.once


def at_target(*, off_by: float = 0) -> list[Row]:
    """Every target exactly reached, or missed by so much."""
    return [row_of(target, target.most + off_by) for target in TARGETS]


def row_of(target: Target, *values: float) -> Row:
    named: dict[str, int | float | str] = {"call": target.call, "devices": target.devices}
    varied = {name: value for name, value in named.items() if value}
    return Row(target.measure, target.subject, "", list(values), varied)


def checked(rows: list[Row]) -> tuple[bool, str]:
    console = Console(width=160, file=(output := StringIO()))
    return check(rows, console), output.getvalue()


def test_what_reaches_its_targets_exactly_passes() -> None:
    passed, said = checked(at_target())
    assert passed
    assert f"{sum(t.decides for t in TARGETS)} reached, 0 missed, 0 not measured" in said


def test_a_count_too_many_fails_it_all() -> None:
    for target in TARGETS:
        rows = [row for row in at_target() if row != row_of(target, target.most)]
        passed, _ = checked([*rows, row_of(target, target.most + 1)])
        assert passed is not target.decides


def test_a_count_that_nobody_measured_is_no_pass() -> None:
    passed, said = checked([])
    assert not passed
    assert said.count("│ not measured") == len(TARGETS) + sum(map(len, PEERS.values()))
    decisive = next(t for t in TARGETS if t.decides)
    assert not checked([row for row in at_target() if row != row_of(decisive, decisive.most)])[0]


def test_no_repetition_of_a_count_may_break_it() -> None:
    count = Target("jwt-push", "redis_commands", 0, decides=True)
    assert against(count, [row_of(count, 0, 0, 1)]).verdict == MISSED
    ratio = Target("jwt-push", "times_floor", 1.15, decides=False)
    assert against(ratio, [row_of(ratio, 1.1, 1.1, 1.3)]).verdict == REACHED


def test_a_count_of_another_call_is_not_that_of_whoami() -> None:
    whoami = Target("jwt-expiry", "sql_statements", 0, decides=True)
    refresh = Row("sql_statements", "jwt-expiry", "", [5], {"call": "refresh"})
    assert against(whoami, [refresh]).verdict == NOT_MEASURED
    plain = Row("sql_statements", "jwt-expiry", "", [0])
    assert against(whoami, [refresh, plain]).verdict == REACHED


def test_a_target_says_how_many_devices_it_is_meant_for() -> None:
    (target,) = (t for t in TARGETS if t.measure == "credential_bytes_store")
    of_one = Row(target.measure, target.subject, "", [399], {"devices": 1})
    line = against(target, [of_one, row_of(target, 401)])
    assert line.about == "session-redis, Bytes that the store keeps, user with 2 devices"
    assert (line.found, line.verdict) == ("401", MISSED)
    assert against(target, [of_one]).verdict == NOT_MEASURED


def rate(subject: str, value: float, clients: int) -> Row:
    return Row("requests_per_second", subject, "1/s", [value], {"clients": clients})


def test_a_peer_is_met_where_it_comes_closest() -> None:
    rows = [
        rate("session-redis", 900, 1),
        rate("django-sessions", 300, 1),
        rate("session-redis", 1900, 10),
        rate("django-sessions", 1000, 10),
    ]
    line = next(line for line in against_peers(rows) if "django-sessions" in line.about)
    assert (line.found, line.verdict) == ("1.90 (10 clients)", MISSED)
    line = next(line for line in against_peers(rows[:2]) if "django-sessions" in line.about)
    assert (line.found, line.verdict) == ("3.00 (1 client)", REACHED)


def test_rates_at_other_numbers_of_clients_are_not_compared() -> None:
    rows = [rate("session-redis", 900, 1), rate("django-sessions", 300, 10)]
    assert {line.verdict for line in against_peers(rows)} == {NOT_MEASURED}


def test_every_peer_is_met_by_one_of_ours() -> None:
    met = Counter(peer for peers in PEERS.values() for peer in peers)
    peers = {subject.key for subject in SUBJECTS if not subject.is_ours} - {*FLOORS}
    assert met == Counter(peers)
    assert PEERS.keys() <= ORDER.keys()


def test_a_login_is_judged_by_what_it_takes_beyond_the_hash() -> None:
    target = next(t for t in TARGETS if t.measure == "login_beyond_hash")
    login = Row("login", target.subject, "ms", [130.0])
    line = against(target, [login, row_of(target, 4.0, 11.0, 12.0)])
    assert (line.asked, line.found, line.verdict) == ("at most 10 ms", "11 (4-12)", MISSED)


def test_what_was_missed_is_named_after_the_table() -> None:
    target = Target("session-redis", "redis_commands", 2, decides=True, call="refresh")
    passed, said = checked([row_of(target, 23)])
    assert not passed
    assert "Missed: session-redis, refresh, Redis commands: 23, at most 2." in said
    assert "Missed:" not in checked(at_target())[1]


def test_the_targets_are_those_that_were_set() -> None:
    asked = {(t.subject, t.call or "whoami", t.measure): t.most for t in TARGETS}
    assert len(asked) == len(TARGETS)
    of_requests = {
        "session-redis": (1.6, 0, 1),
        "session-push": (1.15, 0, 0),
        "jwt-expiry": (1.15, 0, 0),
        "jwt-push": (1.15, 0, 0),
        "jwt-lookup": (1.5, 0, 1),
    }
    of_refresh = {"sql_statements": 5, "redis_commands": 2}
    assert asked == {
        **{
            (subject, "whoami", measure): most
            for subject, mosts in of_requests.items()
            for measure, most in zip(
                ("times_floor", "sql_statements", "redis_commands"), mosts, strict=True
            )
        },
        **{
            (subject, "refresh", measure): most
            for subject in of_requests
            for measure, most in of_refresh.items()
        },
        **{(subject, "whoami", "login_beyond_hash"): 10 for subject in of_requests},
        ("session-redis", "whoami", "credential_bytes_store"): 400,
    }
