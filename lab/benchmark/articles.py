"""What do articles on sessions and JWT claim, and what was found here?

Their numbers are data in `says` and are never mixed with ours: what stands under "found" is made
of the rows of the report, or of arithmetic, or is "not measured in this run".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lab.benchmark import figures
from lab.benchmark.rows import Row, find, of_whoami

NOT_MEASURED = "not measured in this run"
Found = Callable[[Sequence[Row]], str]


@dataclass(frozen=True)
class Claim:
    """`says`: the article's number in words; `found`: ours in words, from the rows of a report."""

    key: str
    question: str
    says: str
    found: Found
    why: str


def joined(parts: Iterable[str]) -> str:
    return "; ".join(part for part in parts if part) or NOT_MEASURED


def each(subjects: Sequence[str], say: Callable[[Sequence[Row], str], str]) -> Found:
    """What is said of each subject, in one line."""
    return lambda rows: joined(say(rows, subject) for subject in subjects)


def clients_of(row: Row) -> float:
    return figures.as_number(row.parameters.get("clients"))


def latency(rows: Sequence[Row], subject: str) -> str:
    """`session-redis 1.2 ms, mean 1.3 ms, p95 2 ms (1 client), SQL statements: 0, …`."""
    medians = [row for row in rows if (row.measure, row.subject) == ("latency_p50", subject)]
    if not medians:
        return ""
    fewest = min(medians, key=clients_of)
    said = f"{subject} {figures.plain(fewest)}"
    for word in ("mean", "p95"):
        row = find(rows, f"latency_{word}", subject, **fewest.parameters)
        said += f", {word} {figures.plain(row)}" if row else ""
    return said + under(fewest) + counted(rows, subject)


def latency_and_exposure(rows: Sequence[Row], subject: str) -> str:
    return of(subject, latency(rows, subject), exposure(rows, subject))


def of(subject: str, *said: str) -> str:
    """Its name stands first, once; empty where nothing is said of it."""
    words = ", ".join(filter(None, said))
    return words if words.startswith(subject) or not words else f"{subject}, {words}"


def exposure(rows: Sequence[Row], subject: str) -> str:
    """`attacks that succeed: 3 of 51 (6%)`: of those that there is something to attack for."""
    got, tried = (find(rows, measure, subject) for measure in ("attacks_succeed", "attacks_apply"))
    if got is None or tried is None:
        return ""
    share = f" ({got.median / tried.median:.0%})" if tried.median else ""
    title = figures.title(got.measure).lower()
    return f"{title}: {figures.number(got.median)} of {figures.number(tried.median)}{share}"


def under(row: Row) -> str:
    """What was varied, as the end of a figure: ` (10 clients)`."""
    varied = figures.varied(row)
    return f" ({varied})" if varied else ""


def counted(rows: Sequence[Row], subject: str) -> str:
    measures = ("sql_statements", "redis_commands")
    found = [find(of_whoami(rows), measure, subject) for measure in measures]
    return "".join(
        f", {figures.title(row.measure)}: {figures.number(row.median)}" for row in found if row
    )


def posture(rows: Sequence[Row]) -> str:
    """Each strategy with what attacks came to, then what the audit says of the two flows."""
    strategies = ("jwt-naive", "jwt-expiry", "jwt-lookup", "jwt-push")
    said = (latency_and_revocation(rows, subject) for subject in strategies)
    return joined([*said, *(audited(rows, flow) for flow in ("sessions", "jwt"))])


def latency_and_revocation(rows: Sequence[Row], subject: str) -> str:
    revoked = find(rows, "time_to_revoke", subject)
    until = f"refused {figures.plain(revoked)} after it was revoked" if revoked else ""
    return of(subject, latency(rows, subject), until, exposure(rows, subject))


def audited(rows: Sequence[Row], flow: str) -> str:
    passed, points = (find(rows, measure, flow) for measure in ("audit_passed", "audit_points"))
    if passed is None or points is None:
        return ""
    said = f"{figures.number(passed.median)} of {figures.number(points.median)}"
    return f"{figures.title(passed.measure).lower()}, {flow}: {said}"


def hmac(rows: Sequence[Row]) -> str:
    return joined(shortest(rows, f"{verb}_microseconds") for verb in ("sign", "verify"))


def shortest(rows: Sequence[Row], measure: str) -> str:
    """Of the tokens that were measured, the one with the fewest claims: closest to the HMAC."""
    of_hmac = [
        row for row in rows if row.measure == measure and row.parameters.get("algorithm") == "HS256"
    ]
    if not of_hmac:
        return ""
    row = min(of_hmac, key=lambda row: figures.as_number(row.parameters.get("claims")))
    return f"{figures.title(measure).lower()} {figures.plain(row)}{under(row)}"


def smaller_windows(rows: Sequence[Row]) -> str:
    """Of arithmetic alone: nothing that could be measured."""
    day = 24 * 60
    shares = (f"{minutes} min is {(1 - minutes / day):.2%} less than 24 h" for minutes in (15, 5))
    return joined(shares)


def rotation(rows: Sequence[Row]) -> str:
    """What it adds where it can be turned off; where it cannot, what a refresh takes with it."""
    subjects = dict.fromkeys(row.subject for row in rows if row.measure == "refresh")
    ours = (always_rotating(rows, subject) for subject in ("session-redis", "jwt-expiry"))
    return joined([*(rotation_of(rows, subject) for subject in subjects), *ours])


def always_rotating(rows: Sequence[Row], subject: str) -> str:
    on, off = (find(rows, "refresh", subject, rotation=value) for value in ("on", "off"))
    if on is None or off is not None:
        return ""
    return f"{subject} {figures.plain(on)} with rotation, which is a part of every refresh of ours"


def rotation_of(rows: Sequence[Row], subject: str) -> str:
    on, off = (find(rows, "refresh", subject, rotation=value) for value in ("on", "off"))
    if on is None or off is None:
        return ""
    difference = on.median - off.median
    said = f"{subject} {figures.number(difference)} {on.unit}"
    said += f" ({figures.number(on.median)} with, {figures.number(off.median)} without)"
    return said if figures.are_apart(on, off) else said + ", which is within the noise"


def memory(rows: Sequence[Row]) -> str:
    return joined(
        how_much_more(rows, measure)
        for measure in ("credential_bytes_client", "credential_bytes_store")
    )


def how_much_more(rows: Sequence[Row], measure: str) -> str:
    session, token = (find(rows, measure, key) for key in ("session-redis", "jwt-expiry"))
    if session is None or token is None:
        return ""
    said = f"{figures.title(measure).lower()}{under(session)}: "
    said += f"{figures.number(token.median)} for jwt-expiry, "
    said += f"{figures.number(session.median)} for session-redis"
    if not session.median:
        return said
    return f"{said}, {figures.number(token.median / session.median)} times as many"


def token_sizes(rows: Sequence[Row]) -> str:
    session = find(rows, "credential_bytes_client", "session-redis")
    said = [f"session-redis {figures.number(session.median)} bytes"] if session else []
    sizes = [row for row in rows if row.measure == "token_bytes"]
    for algorithm in dict.fromkeys(row.parameters.get("algorithm", "") for row in sizes):
        own = [row for row in sizes if row.parameters.get("algorithm", "") == algorithm]
        own.sort(key=lambda row: figures.as_number(row.parameters.get("claims")))
        steps = (f"{figures.number(row.median)} with {held(row)}" for row in own)
        said.append(f"{algorithm or 'a token'}, bytes: " + ", ".join(steps))
    return joined(said)


def held(row: Row) -> str:
    return figures.parameter("claims", row.parameters.get("claims", "its"))


def under_load(rows: Sequence[Row], subject: str) -> str:
    """`session-redis p95 1.2 ms (1 client), 9.1 ms (10 clients), requests that failed: 0, 0`."""
    measured = [row for row in rows if (row.measure, row.subject) == ("latency_p95", subject)]
    measured.sort(key=clients_of)
    steps = [figures.plain(row) + under(row) for row in measured]
    return f"{subject} p95 " + ", ".join(steps) + failed(rows, measured) if steps else ""


def failed(rows: Sequence[Row], loads: Iterable[Row]) -> str:
    """Of all repetitions together: a median of mostly none would hide the one that failed."""
    found = [find(rows, "errors", load.subject, **load.parameters) for load in loads]
    counts = [figures.number(sum(row.values)) for row in found if row]
    return f", {figures.title('errors').lower()}: {', '.join(counts)}" if counts else ""


CLAIMS = (
    Claim(
        "B1",
        "How long does an authenticated request take?",
        "sessions 14.2 ms, 1 query, low exposure; a single JWT in localStorage 4.8 ms, none, "
        "critical; access and refresh token 5.1 ms, none, low",
        each(("session-redis", "jwt-naive", "jwt-expiry"), latency_and_exposure),
        "The article names no machine, no server and no number of requests. Its sessions ask the "
        "database; ours ask Redis, once. That JWT needs no query holds only where nothing reads "
        "the user's row: SimpleJWT's `JWTAuthentication` does. What it means by exposure it does "
        "not say; here it is what came of the attacks of `docs/attacks.md` that apply.",
    ),
    Claim(
        "B2",
        "How long does an HMAC-SHA256 signature take?",
        "about 0.3 ms, locally",
        hmac,
        "The article names no machine and no payload. The HMAC itself is a part of the figure "
        "here; encoding, decoding and checking the claims are in it as well.",
    ),
    Claim(
        "B3",
        "What do a short lifetime and rotation cost, and how soon is a revocation felt?",
        'one naive token 12 ms, revoked after "0 (stateless)"; access and refresh token 18 ms, '
        "revoked after 45 ms; with a short lifetime and rotation 21 ms, revoked after 32 ms; "
        "posture 35, 78 and 96 points; 85 %, 15 % and less than 2 % of what it does not define",
        posture,
        "Nobody can revoke a stateless token: it lives until `exp`, so that 0 is the wrong way "
        "round. Lifetime and rotation change nothing about a request with an access token, only "
        "about a refresh. Points and shares have no method that could be repeated. What can be "
        "counted stands here instead: the attacks of `docs/attacks.md` that succeed, of those that "
        "apply to the strategy, and the points of `manage.py audit` that pass, for each flow: no "
        "score, since no attack is worth as much as another.",
    ),
    Claim(
        "B4",
        "By how much does a short access token shrink the time that a thief has?",
        "5 to 15 minutes instead of 24 hours: about 90 % less",
        smaller_windows,
        "Arithmetic, and no measurement: the article understates it.",
    ),
    Claim(
        "B5",
        "What does rotation add to a refresh?",
        "less than 3 ms",
        rotation,
        "The article names no database. What rotation adds is what it writes: that the token "
        "is used, and who its successor is. In ours it cannot be turned off, so that there is "
        "nothing to compare a refresh with.",
    ),
    Claim(
        "B6",
        "How much more memory does a JWT take than a session id?",
        "3 times as much",
        memory,
        "The article does not say where. The client keeps a token that is many times as long as "
        "a session id; the server keeps a record for a session, and for a token family a row.",
    ),
    Claim(
        "B10",
        "How long are a session id and a JWT?",
        "32 bytes and about 500 bytes, growing with the claims",
        token_sizes,
        "It depends on the algorithm as much as on the claims: an RSA signature alone is 342 "
        "characters. Ours holds no name and no address, so that it stays short.",
    ),
    Claim(
        "B11",
        "Do sessions wear out the store when many clients come at once?",
        "a lookup for each request exhausts the pool of connections",
        each(("session-redis", "jwt-expiry"), under_load),
        "The article shows no figure. How many requests failed is counted for each number of "
        "clients; a run with more than one in a thousand is refused. A worker needs no more "
        "connections to Redis than it has threads: they grow with workers, never with clients.",
    ),
)
