"""Is what stands under "found here" ours, and what stands under "an article says" theirs?"""

from __future__ import annotations

import re

import pytest

from lab.benchmark.articles import CLAIMS, NOT_MEASURED, Claim
from lab.benchmark.rows import SECONDS_UNTIL_EXP, Row
from tests.lab import made_up

pytestmark = pytest.mark.once
BY_KEY = {claim.key: claim for claim in CLAIMS}
MEASURED = [claim for claim in CLAIMS if claim.key != "B4"]


def found(key: str, *rows: Row) -> str:
    return BY_KEY[key].found(rows)


def test_the_claims_are_these() -> None:
    assert list(BY_KEY) == ["B1", "B2", "B3", "B4", "B5", "B6", "B10", "B11"]
    assert all(claim.question.endswith("?") and claim.why.endswith(".") for claim in CLAIMS)


@pytest.mark.parametrize("claim", MEASURED, ids=lambda claim: claim.key)
def test_nothing_is_found_where_nothing_was_measured(claim: Claim) -> None:
    assert claim.found([]) == NOT_MEASURED


@pytest.mark.parametrize("claim", MEASURED, ids=lambda claim: claim.key)
def test_every_number_that_is_found_comes_from_a_row(claim: Claim) -> None:
    """All figures here have three digits that no article has, and so has every answer."""
    rows = [
        Row(row.measure, row.subject, row.unit, [777], row.parameters)
        for row in made_up.every_measure()
    ]
    varied = {str(value) for row in rows for value in row.parameters.values()}
    names = r"p95|HS256|RS256|ES256"
    numbers = set(re.findall(r"\d[\d.,]*\d|\d", re.sub(names, "", claim.found(rows))))
    # 0 is a difference of two rows, 1 their ratio, 100 (%) as well; three repetitions of one row
    # were added up.
    assert numbers - varied <= {"777", "0", "1", "100"}
    assert "777" in numbers


def test_the_window_of_a_thief_is_arithmetic() -> None:  # B4
    assert found("B4") == "15 min is 98.96% less than 24 h; 5 min is 99.65% less than 24 h"


def test_a_request_is_said_with_its_counts() -> None:  # B1
    rows = [
        Row("latency_p50", "session-redis", "ms", [9], {"clients": 10}),
        Row("latency_p50", "session-redis", "ms", [2], {"clients": 1}),
        Row("latency_p95", "session-redis", "ms", [3], {"clients": 1}),
        Row("sql_statements", "session-redis", "", [0]),
        Row("redis_commands", "session-redis", "", [2], {"call": "refresh"}),
        Row("redis_commands", "session-redis", "", [1]),
    ]
    assert found("B1", *rows) == (
        "session-redis 2 ms, p95 3 ms (1 client), SQL statements: 0, Redis commands: 1"
    )


def attacked(subject: str, succeed: int, apply: int) -> list[Row]:
    counts = {"attacks_succeed": succeed, "attacks_apply": apply}
    return [Row(measure, subject, "", [n], {"run": "now"}) for measure, n in counts.items()]


def test_a_request_is_said_with_its_mean_and_what_attacks_came_to() -> None:  # B1
    rows = [
        Row("latency_p50", "jwt-naive", "ms", [2], {"clients": 1}),
        Row("latency_mean", "jwt-naive", "ms", [4], {"clients": 1}),
        *attacked("jwt-naive", 9, 45),
    ]
    assert found("B1", *rows) == (
        "jwt-naive 2 ms, mean 4 ms (1 client), attacks that succeed: 9 of 45 (20%)"
    )
    assert found("B1", *rows[2:]) == "jwt-naive, attacks that succeed: 9 of 45 (20%)"


def test_posture_is_what_was_counted() -> None:  # B3
    points = {"audit_passed": 5, "audit_points": 6}
    audit = [Row(measure, "jwt", "", [n]) for measure, n in points.items()]
    assert found("B3", *attacked("jwt-push", 3, 60), *audit) == (
        "jwt-push, attacks that succeed: 3 of 60 (5%); points of the audit that pass, jwt: 5 of 6"
    )


def test_the_shortest_token_stands_for_the_hmac() -> None:  # B2
    rows = [
        Row("verify_microseconds", "jwt", "µs", [n], {"algorithm": algorithm, "claims": n})
        for algorithm in ("RS256", "HS256")
        for n in (20, 5)
    ]
    assert found("B2", *rows) == "verify 5 µs (HS256, 5 claims)"


def test_a_stateless_token_is_refused_when_it_expires() -> None:  # B3
    row = Row("time_to_revoke", "jwt-naive", SECONDS_UNTIL_EXP, [86400], {"workers": 4})
    assert found("B3", row) == "jwt-naive, refused 86,400 s (until exp) after it was revoked"


def refreshing(rotation: str, *times: float) -> Row:
    return Row("refresh", "jwt-expiry", "ms", list(times), {"rotation": rotation})


def test_rotation_is_what_it_adds() -> None:  # B5
    apart = [refreshing("on", 5, 5.5), refreshing("off", 3, 3.5)]
    assert found("B5", *apart) == "jwt-expiry 2 ms (5.25 with, 3.25 without)"
    close = [refreshing("on", 3, 5), refreshing("off", 2, 4)]
    assert found("B5", *close).endswith("which is within the noise")
    assert found("B5", apart[0]) == (
        "jwt-expiry 5.25 ms with rotation, which is a part of every refresh of ours"
    )
    assert found("B5", apart[1]) == NOT_MEASURED


def test_memory_is_a_ratio_of_both() -> None:  # B6
    rows = [
        Row("credential_bytes_client", key, "bytes", [size])
        for key, size in (("jwt-expiry", 320), ("session-redis", 32))
    ]
    assert found("B6", *rows).endswith("320 for jwt-expiry, 32 for session-redis, 10 times as many")
    assert found("B6", rows[0]) == NOT_MEASURED


def test_sizes_grow_with_the_claims() -> None:  # B10
    rows = [
        Row("token_bytes", "jwt", "bytes", [size], {"algorithm": "ES256", "claims": claims})
        for claims, size in ((20, 700), (5, 300))
    ]
    assert found("B10", *rows) == "ES256, bytes: 300 with 5 claims, 700 with 20 claims"


def test_load_is_said_from_few_clients_to_many() -> None:  # B11
    rows = [Row("latency_p95", "jwt-expiry", "ms", [n], {"clients": n}) for n in (50, 1)]
    said = "jwt-expiry p95 1 ms (1 client), 50 ms (50 clients)"
    assert found("B11", *rows) == said
    failed = [
        Row("errors", "jwt-expiry", "", n, {"clients": len(n)}) for n in ([0.0], [0.0] * 49 + [1.0])
    ]
    assert found("B11", *rows, *failed) == said + ", requests that failed: 0, 1"
