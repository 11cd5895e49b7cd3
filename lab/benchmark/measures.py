"""What can be measured, and under which question is it shown?

A measure that is not here is shown too: `tables.py` lists it at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

# How slow clients are met with: so many others ask, and wait so many seconds.
SLOW_ASKED, SLOW_SECONDS = 10, 1


@dataclass(frozen=True)
class Measure:
    """`across`: the parameter whose values stand side by side as columns.

    `chart`: "bars" (a chart for each column), "lines" (a chart for each value of `facet`; bars
    where nothing was varied) or "".
    `is_shared`: measured once for all subjects that keep their logins in the same store.
    `is_counted`: the same each time, so that any difference is one. What a store grows by is not:
    it gives memory in pages and steps.
    """

    key: str
    title: str
    across: str = ""
    chart: str = ""
    facet: str = ""
    is_shared: bool = False
    is_counted: bool = False


MEASURES = (
    Measure("requests_per_second", "Requests per second", across="clients", chart="bars"),
    Measure("server_requests_per_second", "Requests per second", across="clients"),
    Measure(
        "server_answers_beside_slow", f"Of {SLOW_ASKED} requests answered", across="slow_clients"
    ),
    Measure("latency_mean", "Latency, mean", across="clients"),
    Measure("latency_p50", "Latency, median", across="clients"),
    Measure("latency_p95", "Latency, 95th percentile", across="clients", chart="bars"),
    Measure("latency_p99", "Latency, 99th percentile", across="clients"),
    Measure("errors", "Requests that failed", across="clients"),
    Measure("sql_statements", "SQL statements", is_counted=True),
    Measure("redis_commands", "Redis commands", is_counted=True),
    Measure("bytes_sent", "Bytes sent", is_counted=True),
    Measure("bytes_received", "Bytes received", is_counted=True),
    Measure("times_floor", "Times the floor", chart="bars"),
    Measure("microseconds", "Time in the process"),
    Measure("times_without_lab", "Times the same without the lab"),
    Measure("cpu_milliseconds", "CPU", across="clients"),
    Measure("login", "Login"),
    Measure("password_hash", "The password's hash in it"),
    Measure("login_beyond_hash", "Login beyond the hash"),
    Measure("refresh", "Refresh", across="rotation"),
    Measure("sign_microseconds", "Sign", across="claims", chart="lines"),
    Measure("verify_microseconds", "Verify", across="claims", chart="lines"),
    Measure("token_bytes", "Bytes of a token", across="claims", chart="lines", is_counted=True),
    Measure("credential_bytes_client", "Bytes that the client keeps", is_counted=True),
    Measure(
        "credential_bytes_store", "Bytes that the store keeps", across="devices", is_shared=True
    ),
    Measure(
        "memory_per_10000_logins", "Memory for 10,000 logins", across="devices", is_shared=True
    ),
    Measure("time_to_revoke", "Time to revoke", across="workers", chart="bars"),
    Measure("attacks_succeed", "Attacks that succeed", across="run", is_counted=True),
    Measure("attacks_apply", "Attacks that apply", across="run", is_counted=True),
    Measure("audit_passed", "Points of the audit that pass", is_counted=True),
    Measure("audit_points", "Points of the audit", is_counted=True),
    Measure("crossover", "Latency", across="redis_milliseconds", chart="lines"),
    Measure("redis_round_trip", "Round trip to Redis", across="redis_milliseconds"),
    Measure("scale", "Time of a call", across="live", chart="lines", facet="call"),
)
BY_KEY = {measure.key: measure for measure in MEASURES}


@dataclass(frozen=True)
class Group:
    """One question of the report. `tables`: the measures of each table; those of one share it."""

    key: str
    title: str
    about: str
    tables: tuple[tuple[str, ...], ...]


GROUPS = (
    Group(
        "speed",
        "Who is how fast?",
        "`GET whoami/` over HTTP, by as many clients at once as each column says, each of which "
        "asks again as soon as it is answered.",
        (
            ("requests_per_second",),
            ("latency_mean",),
            ("latency_p50",),
            ("latency_p95",),
            ("latency_p99",),
            ("errors",),
        ),
    ),
    Group(
        "request",
        "What does a request cost?",
        "`GET whoami/` once, by a client that is logged in. A floor is the same view without "
        "authentication: `floor` behind this project's middleware, `floor-of-peers` behind that of "
        "the project that the peers stand in. Times the floor, and the time in the process, are "
        "without a server between; each is held against the floor of its own project. The lab "
        "writes receipts for who asks, and costs the others what stands in the last table: the "
        "same requests, of the same site with LAB=0.",
        (
            ("sql_statements", "redis_commands", "bytes_sent", "bytes_received"),
            ("times_floor", "microseconds"),
            ("cpu_milliseconds",),
            ("times_without_lab",),
        ),
    ),
    Group(
        "servers",
        "Which web server should answer?",
        "The same site under each, with as many workers, of four threads where it has threads; "
        "waitress has one process, with the threads of all. What a server spends on a request "
        "hides what strategies differ by. Slow clients have sent the first line of a request and "
        f"no more; the requests of others count as answered within {SLOW_SECONDS} s.",
        (("server_requests_per_second",), ("server_answers_beside_slow",)),
    ),
    Group(
        "login",
        "What do login and refresh cost?",
        "A login is mostly the hash of a password, which is slow on purpose. The worker that "
        "answered the login timed the hash in it; what stands beyond it is the rest of each login, "
        "the way there and back included.",
        (("login", "password_hash", "login_beyond_hash"), ("refresh",)),
    ),
    Group(
        "tokens",
        "What do the parts of a token cost?",
        "Signing and verifying alone, by the algorithms that can be configured; and what client "
        "and store keep for one login. The store's is what Redis and the database grew by when a "
        "login that had really happened was copied until there were 10,000, of users with so many "
        "devices each: what Redis holds of a user is shared by them.",
        (
            ("sign_microseconds",),
            ("verify_microseconds",),
            ("token_bytes",),
            ("credential_bytes_client", "credential_bytes_store"),
            ("memory_per_10000_logins",),
        ),
    ),
    Group(
        "revoke",
        "How long does a credential live on after it was revoked?",
        "From the answer to the revoking call until every worker process has refused once. What "
        "lives until `exp` was not waited for: the figure is what was left of it.",
        (("time_to_revoke",),),
    ),
    Group(
        "security",
        "How many attacks get through?",
        "Counted in the kept run of `manage.py attack --all` (`docs/attacks.md`), which is not run "
        "anew here, and by `manage.py audit`, which looks at the site that was measured: six "
        "points for each flow. Counts, and no score: no attack is worth as much as another.",
        (("attacks_succeed", "attacks_apply"), ("audit_passed", "audit_points")),
    ),
    Group(
        "crossover",
        "At which distance of Redis does which design win?",
        "The median latency of the same request while Redis is further and further away. Where one "
        "overtakes another, the distance is interpolated between the two at which they were seen "
        "apart.",
        (("crossover",), ("redis_round_trip",)),
    ),
    Group(
        "scale",
        "Does it stay flat while logins pile up?",
        "The same calls with more and more live sessions and token families.",
        (("scale",),),
    ),
)

# How the value of a parameter is said where it heads a column or names a line.
PARAMETER_WORDS = {
    "clients": "{} clients",
    "workers": "{} workers",
    "slow_clients": "{} slow clients",
    "redis_milliseconds": "Redis {} ms away",
    "live": "{} live",
    "rotation": "rotation {}",
    "claims": "{} claims",
    "algorithm": "{}",
    "call": "{}",
    "run": "run of {}",
    "devices": "user with {} devices",
}
