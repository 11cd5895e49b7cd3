"""What do articles compare sessions and JWT by, and what is so here? Each cell has its proof.

Their numbers stand in a column of their own (`says`), and are never mixed with ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.proofs import Attacked, Counted, Differs, Proof, Tested, measured

TWO_SERVICES = "tests/jwt_api/test_two_services.py"


@dataclass(frozen=True)
class Cell:
    """What is so, by a proof; `{}` in `form` is the proof's own value."""

    proof: Proof
    form: str = "{}"

    @property
    def words(self) -> str:
        return self.form.format(self.proof.value)


@dataclass(frozen=True)
class Line:
    """`says`: an article's words, empty where the table has no such column."""

    name: str
    cells: tuple[Cell, ...]
    says: str = ""


@dataclass(frozen=True)
class Comparison:
    key: str
    title: str
    about: str
    columns: tuple[str, ...]
    lines: tuple[Line, ...]


def tested(test: str, words: str) -> Cell:
    return Cell(Tested(test), words)


def of_each(measure: str, form: str = "{}", **varied: float | str) -> tuple[Cell, Cell]:
    """The same figure for both flows as they come."""
    return (
        Cell(measured(measure, "session-redis", **varied), form),
        Cell(measured(measure, "jwt-expiry", **varied), form),
    )


TEN_ROWS = Comparison(
    key="ten-rows",
    title="Sessions beside JWT, in ten rows",
    about="Both flows as they come: session-redis, and jwt-expiry.",
    columns=("", "Sessions", "JWT"),
    lines=(
        Line("Storage on the server", of_each("credential_bytes_store", "{} for a login")),
        Line("Revocation", of_each("time_to_revoke", "refused after {}")),
        Line(
            "More servers",
            (
                tested(
                    f"{TWO_SERVICES}::"
                    "test_a_session_works_on_another_server_only_through_the_shared_redis",
                    "all of them ask the one Redis",
                ),
                tested(
                    f"{TWO_SERVICES}::test_it_goes_on_while_the_issuer_and_its_stores_are_away",
                    "each needs the public keys, and nothing else",
                ),
            ),
        ),
        Line("Size of what the client keeps", of_each("credential_bytes_client")),
        Line("Lookup on each request", of_each("redis_commands", "{} to Redis")),
        Line(
            "Pages of another site",
            (
                Cell(
                    Differs("cookie_samesite", "sessions"),
                    "the cookie does not come along (SameSite={})",
                ),
                Cell(
                    Differs("cookie_samesite", "jwt"),
                    "a token may be sent; the refresh cookie does not come along (SameSite={})",
                ),
            ),
        ),
        Line(
            "Other services",
            (
                Cell(
                    Differs("calls_of_its_own", "sessions"),
                    "an id means nothing to them (calls for it: {})",
                ),
                tested(
                    f"{TWO_SERVICES}::test_it_believes_the_issuers_signature_and_no_other",
                    "they check the issuer's signature",
                ),
            ),
        ),
        Line(
            "Mobile apps",
            (
                Cell(
                    Differs("csrf_on_bearer_calls", "sessions"),
                    "a cookie jar; the CSRF token is asked for: {}",
                ),
                Cell(
                    Differs("csrf_on_bearer_calls", "jwt"),
                    "a header; the CSRF token is asked for: {}",
                ),
            ),
        ),
        Line(
            "Logout takes effect at once",
            (
                Cell(Differs("whoami_after_logout", "sessions"), "yes: the next request gets {}"),
                Cell(
                    Differs("whoami_after_logout", "jwt"),
                    "no: the next request gets {}, until the token expires",
                ),
            ),
        ),
        Line(
            "Goes on without the shared store",
            (
                Cell(Differs("lives_on_without_redis", "sessions"), "{}"),
                Cell(Differs("lives_on_without_redis", "jwt"), "{}"),
            ),
        ),
    ),
)


def posture(key: str) -> tuple[Cell, ...]:
    return (
        Cell(measured("latency_p50", key, clients=1)),
        Cell(measured("sql_statements", key)),
        Cell(measured("redis_commands", key)),
        Cell(Attacked("read-storage", key)),
    )


THREE_WAYS = Comparison(
    key="three-ways",
    title="What a request costs, and what an injected script gets",
    about="One client that asks who it is, again and again; and the attack read-storage, by a "
    "script in the page.",
    columns=(
        "",
        "An article says",
        "Latency, median",
        "SQL statements",
        "Redis commands",
        "A script reads the storage",
    ),
    lines=(
        Line("session-redis", posture("session-redis"), "14.2 ms, 1 query, exposure low"),
        Line("jwt-naive", posture("jwt-naive"), "4.8 ms, 0 queries, exposure critical"),
        Line("jwt-expiry", posture("jwt-expiry"), "5.1 ms, 0 queries, exposure low"),
    ),
)


def revocable(key: str) -> tuple[Cell, ...]:
    return (
        Cell(Counted(key)),
        Cell(measured("time_to_revoke", key)),
        Cell(Attacked("read-storage", key)),
        Cell(measured("latency_p50", key, clients=1)),
    )


POSTURES = Comparison(
    key="postures",
    title="How well a token is looked after",
    about='The article gives points, without a method; here attacks are counted. "0 (stateless)" '
    "is the wrong way round: a token that nobody looks up lives until it expires.",
    columns=(
        "",
        "An article says",
        "Attacks",
        "Refused after a revocation",
        "A script reads the storage",
        "Latency, median",
    ),
    lines=(
        Line("jwt-naive", revocable("jwt-naive"), "35 points, 0 (stateless), 85 %, 12 ms"),
        Line("jwt-expiry", revocable("jwt-expiry"), "78 points, 45 ms, 15 %, 18 ms"),
        Line("jwt-lookup", revocable("jwt-lookup"), "96 points, 32 ms, under 2 %, 21 ms"),
        Line("jwt-push", revocable("jwt-push"), "not in the article"),
    ),
)


def described(words: str, test: str) -> Line:
    return Line(words, (Cell(Tested(test)),))


SYSTEMS = Comparison(
    key="systems",
    title="What articles describe, and the test that shows it",
    about="Each is run with every change of this project, for both flows where both have it.",
    columns=("", "Test"),
    lines=(
        described(
            "A login is a record in Redis that ends by itself",
            "tests/sessions_api/test_store.py::test_record_ends_with_the_idle_time",
        ),
        described(
            "A request is one lookup, and one that is deleted is refused",
            "tests/contract/test_cost.py::test_whoami_costs",
        ),
        described(
            "The cookie is HttpOnly, Secure and SameSite",
            "tests/contract/test_cookies.py::test_the_secret_is_kept_from_scripts_and_other_sites",
        ),
        described(
            "Revocation is instant, on every server",
            "tests/contract/test_live.py::test_what_was_ended_is_ended_in_every_worker",
        ),
        described(
            "A stolen credential is noticed, and ended",
            "tests/contract/test_suspicion.py::test_a_theft_is_noticed_and_what_was_stolen_is_dead",
        ),
        described(
            "The same theft with a JWT goes on until it expires",
            "tests/contract/test_suspicion.py::"
            "test_right_after_the_end_the_stolen_credential_lives_as_long_as_the_flow_says",
        ),
        described(
            "A denylist is small: an entry lives as long as an access token",
            "tests/jwt_api/test_revocation.py::test_entries_live_as_long_as_access_tokens",
        ),
        described(
            "The refresh token is in a cookie, the access token in a body",
            "tests/contract/test_cookies.py::test_no_answer_shows_a_secret",
        ),
        described(
            "An expired access token is refreshed, and the user notices nothing",
            "tests/contract/test_expiry.py::test_a_client_that_refreshes_does_not_notice",
        ),
        described(
            "Both tokens stolen: good until the access token expires",
            "tests/jwt_api/test_families.py::"
            "test_access_tokens_of_a_reused_family_end_within_the_promised_time",
        ),
        described(
            "A refresh token is used once (rotation)",
            "tests/jwt_api/test_families.py::test_refresh_rotates",
        ),
        described(
            "A second use ends the whole family",
            "tests/jwt_api/test_families.py::test_reuse_ends_the_family_and_is_committed",
        ),
        described(
            "Of many refreshes at once one wins",
            "tests/contract/test_races.py::test_parallel_refreshes_leave_one_live_successor",
        ),
        described(
            "An e-mailed link is a JWT, and leads to a login",
            "tests/contract/test_by_mail.py::test_a_sign_up_link_begins_a_login_of_its_flow",
        ),
        described(
            "Another service verifies on its own",
            f"{TWO_SERVICES}::test_it_believes_the_issuers_signature_and_no_other",
        ),
        described(
            "A program gets a token with limited rights",
            "tests/jwt_api/test_programs.py::test_a_scope_opens_what_it_names_and_nothing_else",
        ),
        described(
            "A changed role is seen by a session at once, by a JWT after a refresh",
            "tests/contract/test_account_changes.py::test_a_role_is_seen_when_the_flow_promises",
        ),
        described(
            "A new password ends every other login",
            "tests/contract/test_password.py::test_every_other_login_ends_in_both_flows",
        ),
        described(
            "Without the store sessions wait, and a JWT is good all the same",
            "tests/contract/test_store_outage.py::test_without_redis_a_call_waits_or_works",
        ),
    ),
)

COMPARISONS = (TEN_ROWS, THREE_WAYS, POSTURES, SYSTEMS)
