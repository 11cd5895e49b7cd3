"""What could a benchmark have found? Rows that nobody measured, to test what is made of rows."""

from __future__ import annotations

from typing import Any

from lab.benchmark.report import Report
from lab.benchmark.rows import SECONDS_UNTIL_EXP, Row
from lab.benchmark.subjects import FLOORS, SUBJECTS, subject

MADE = "2026-11-21T18:00:00+00:00"
CONDITIONS: dict[str, Any] = {
    "command": "manage.py benchmark (made up for a test: nobody measured this)",
    "cpu": "a processor that does not exist",
    "cores": 2,
    "versions": {"Python": "3.11", "Django": "5.2"},
    "server": "gunicorn, gthread",
    "workers": 4,
    "redis": {"kind": "embedded", "version": "6.2"},
    "database": "SQLite (WAL)",
    "counts": {"repetitions": 3, "seconds of each": 5},
}


def around(middle: float, *, noise: float = 0.03) -> list[float]:
    """Three repetitions, the middle one in the middle."""
    return [middle * (1 - noise), middle, middle * (1 + noise)]


def report(rows: list[Row] | None = None, **others: Any) -> Report:
    made: dict[str, Any] = {"made": MADE, "conditions": CONDITIONS, **others}
    return Report(rows=every_measure() if rows is None else rows, **made)


def every_measure() -> list[Row]:
    """As much as a full run would give, of every subject."""
    rows = []
    for place, each in enumerate(SUBJECTS):
        rows += of_requests(each.key, 1 + place / 6)
        if each.key not in FLOORS:
            rows += of_logins(each.key, 1 + place / 6, forgets=each.flow == "sessions")
        if each.is_ours:
            rows += of_attacks(each.key, place)
            rows += of_redis(each.key, 1 + place / 6, trips=int(place in (2, 6)))
    return rows + of_tokens() + of_servers()


def of_servers() -> list[Row]:
    rows = []
    for place, server in enumerate(("gunicorn gthread", "gunicorn sync", "granian"), start=10):
        for clients in (1, 50):
            varied: dict[str, int | float | str] = {"strategy": "jwt-expiry", "clients": clients}
            rows.append(
                Row("server_requests_per_second", server, "1/s", around(60 * place), varied)
            )
        answered = [float(server != "gunicorn sync") * 10]
        rows.append(Row("server_answers_beside_slow", server, "", answered, {"slow_clients": 4}))
    return rows


def of_requests(key: str, cost: float) -> list[Row]:
    rows = []
    for clients in (1, 10, 50):
        varied: dict[str, int | float | str] = {"clients": clients}
        many = min(clients, 4) * 620 / cost
        rows.append(Row("requests_per_second", key, "1/s", around(many), varied))
        rows.append(Row("cpu_milliseconds", key, "ms", around(0.17 * cost), varied))
        rows.append(Row("errors", key, "", [0, 0, 0], varied))
        for measure, times in (
            ("latency_mean", 1.1),
            ("latency_p50", 1),
            ("latency_p95", 1.9),
            ("latency_p99", 3.4),
        ):
            value = times * 1000 * clients / many
            rows.append(Row(measure, key, "ms", around(value, noise=0.08), varied))
    return [
        *rows,
        Row("sql_statements", key, "count", [cost // 2]),
        Row("redis_commands", key, "count", [cost // 1 - 1]),
        Row("bytes_sent", key, "bytes", [130 + 200 * cost // 1]),
        Row("bytes_received", key, "bytes", [410]),
        Row("times_floor", key, "times", around(cost)),
        Row("microseconds", key, "µs", around(165 * cost)),
    ]


def of_logins(key: str, cost: float, *, forgets: bool) -> list[Row]:
    revoked = (
        Row("time_to_revoke", key, "ms", around(0.9 * cost, noise=0.4), {"workers": 4})
        if forgets
        else Row("time_to_revoke", key, SECONDS_UNTIL_EXP, [900], {"workers": 4})
    )
    return [
        revoked,
        Row("login", key, "ms", around(135 + cost)),
        Row("password_hash", key, "ms", around(130)),
        Row("login_beyond_hash", key, "ms", around(5 + cost)),
        Row("refresh", key, "ms", around(4 * cost), {"rotation": "on"}),
        Row("refresh", key, "ms", around(2.5 * cost), {"rotation": "off"}),
        Row("credential_bytes_client", key, "bytes", [32 if forgets else 347]),
        *of_stores(key),
    ]


def of_stores(key: str) -> list[Row]:
    if subject(key).keeps_as:
        return []
    rows = []
    for devices in (1, 2):
        varied: dict[str, int | float | str] = {"devices": devices}
        rows.append(Row("credential_bytes_store", key, "bytes", [388], varied))
        rows.append(Row("memory_per_10000_logins", key, "bytes", [3_880_000], varied))
    return rows


def of_attacks(key: str, place: int) -> list[Row]:
    varied: dict[str, int | float | str] = {"run": MADE}
    return [
        Row("attacks_succeed", key, "", [place], varied),
        Row("attacks_apply", key, "", [60], varied),
        *(Row(f"audit_{what}", key, "", [6]) for what in ("passed", "points")),
    ]


def of_redis(key: str, cost: float, *, trips: int) -> list[Row]:
    rows = [
        Row("crossover", key, "ms", around(cost + trips * away), {"redis_milliseconds": away})
        for away in (0, 0.25, 0.5, 1, 2, 5)
    ]
    rows.append(Row("redis_round_trip", "redis", "ms", around(0.3), {"redis_milliseconds": 0.25}))
    for call in ("whoami", "refresh", "devices", "logout-all"):
        for live in (1, 1_000, 1_000_000):
            varied: dict[str, int | float | str] = {"live": live, "call": call}
            rows.append(Row("scale", key, "µs", around(300 * cost + live / 50_000), varied))
    return rows


def of_tokens() -> list[Row]:
    rows = []
    for algorithm, cost, signature in (
        ("HS256", 35, 43),
        ("RS256", 62, 342),
        ("ES256", 100, 86),
        ("EdDSA", 134, 86),
    ):
        for claims in (5, 10, 20, 40):
            varied: dict[str, int | float | str] = {"algorithm": algorithm, "claims": claims}
            rows += [
                Row("sign_microseconds", "jwt", "µs", around(cost * 1.5 + claims), varied),
                Row("verify_microseconds", "jwt", "µs", around(cost + claims), varied),
                Row("token_bytes", "jwt", "bytes", [90 + signature + 24 * claims], varied),
            ]
    return rows
