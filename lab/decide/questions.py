"""What does a team have to know before it chooses? Each answer with what it speaks for, as data."""

from __future__ import annotations

from lab.decide.rule import (
    Answer,
    ProofOf,
    Question,
    Rule,
    answers,
    differs,
    excludes,
    figure,
    is_of,
    is_one_of,
    is_weak,
    lacks,
    no,
    shown_by,
    speaks_against,
    speaks_for,
)
from lab.proofs import Attacked, Stated, Tested, Written
from lab.strategies import strategy

LIVES_ON = answers("whoami_after_logout", 200)
ASKS_REDIS = answers("whoami_redis_commands", 1)
IS_PUSHED = is_one_of("session-push", "jwt-push")
BY_COOKIE = answers("token_in_the_body", False)
READS_ROWS = no(answers("whoami_sql_statements", 0))
AT_ONCE = answers("role_change_seen", "next request")


def rests_on_redis(each: str) -> bool:
    """Whether a check needs Redis, be it asked or heard."""
    return "Redis" in strategy(each).each_request


def stated(field: str) -> ProofOf:
    return lambda each: Stated(each, field)


def attacked(key: str) -> ProofOf:
    return lambda each: Attacked(key, each)


TWO_SERVICES = "tests/jwt_api/test_two_services.py"

ALWAYS: tuple[Rule, ...] = (
    excludes(
        is_weak,
        "It is here to be attacked, and never to be copied.",
        stated("weak"),
        shown_by(Tested("tests/lab/test_strategies.py::test_a_logout_ends_no_naive_token")),
    ),
    speaks_against(
        READS_ROWS,
        "Each request reads rows of the database.",
        figure("sql_statements"),
        figure("requests_per_second", clients=50),
    ),
)
"""What holds whatever is answered."""


GOES_ON = excludes(
    LIVES_ON,
    "What was ended goes on until its token expires.",
    figure("time_to_revoke"),
    differs("whoami_after_logout"),
)


def at_a_distance(milliseconds: float, weight: int) -> tuple[Rule, ...]:
    distance = figure("crossover", redis_milliseconds=milliseconds)
    return (
        speaks_against(
            ASKS_REDIS,
            "Each request waits for Redis once.",
            distance,
            differs("whoami_redis_commands"),
            weight=weight,
        ),
        speaks_for(
            no(ASKS_REDIS),
            "No request waits for Redis.",
            distance,
            differs("whoami_redis_commands"),
            weight=weight,
        ),
    )


QUESTIONS: tuple[Question, ...] = (
    Question(
        "revoke",
        "How soon must a stolen or ended login be refused?",
        (
            Answer(
                "request",
                "At once: with the very next request",
                (
                    GOES_ON,
                    speaks_against(
                        IS_PUSHED,
                        "Where Redis falls silent a process may be seconds late.",
                        stated("lives_after"),
                    ),
                ),
            ),
            Answer("seconds", "Within a few seconds", (GOES_ON,)),
            Answer(
                "minutes",
                "Within 15 minutes",
                (
                    speaks_for(
                        no(LIVES_ON),
                        "It refuses sooner than that.",
                        figure("time_to_revoke"),
                        differs("whoami_after_logout"),
                    ),
                ),
            ),
        ),
    ),
    Question(
        "verify",
        "Who checks whether a login is good?",
        (
            Answer(
                "one",
                "One service of ours",
                (
                    speaks_for(
                        is_of("sessions"),
                        "The client keeps an id, and nothing has to be signed or renewed.",
                        figure("credential_bytes_client"),
                    ),
                ),
            ),
            Answer(
                "many",
                "Several services of ours",
                (
                    speaks_against(
                        is_of("sessions"),
                        "Each service has to reach the Redis, or the database, of the sessions.",
                        shown_by(
                            Tested(
                                f"{TWO_SERVICES}::test_a_session_works_on_another_server_only_"
                                "through_the_shared_redis"
                            )
                        ),
                        weight=2,
                    ),
                    speaks_for(
                        is_of("jwt"),
                        "Another service checks the signature by the public keys alone.",
                        shown_by(
                            Tested(
                                f"{TWO_SERVICES}::test_it_goes_on_while_the_issuer_and_its_"
                                "stores_are_away"
                            )
                        ),
                        weight=2,
                    ),
                ),
            ),
            Answer(
                "others",
                "Other people's services as well",
                (
                    excludes(
                        BY_COOKIE,
                        "There is no token that somebody else could be shown.",
                        differs("token_in_the_body"),
                    ),
                    speaks_for(
                        no(BY_COOKIE),
                        "A token says in itself what it may do, and for whom it is.",
                        shown_by(
                            Tested(
                                "tests/jwt_api/test_programs.py::"
                                "test_a_scope_opens_what_it_names_and_nothing_else"
                            )
                        ),
                        weight=2,
                    ),
                ),
            ),
        ),
    ),
    Question(
        "redis",
        "How far is Redis: how long does one question to it take?",
        (
            # No rules: at this distance the strategies can hardly be told apart.
            Answer("near", "A quarter of a millisecond: the same rack"),
            Answer("room", "1 ms: the same region", at_a_distance(1, 1)),
            Answer("far", "5 ms: another region", at_a_distance(5, 2)),
            Answer(
                "none",
                "There is none, for checking logins",
                (
                    excludes(
                        rests_on_redis,
                        "Its check rests on Redis.",
                        stated("each_request"),
                    ),
                ),
            ),
        ),
    ),
    Question(
        "clients",
        "Who are the clients?",
        (
            Answer(
                "browsers",
                "Browsers, on our own site",
                (
                    speaks_for(
                        BY_COOKIE,
                        "No script can read the credential, ours or an injected one.",
                        differs("token_in_the_body"),
                        shown_by(
                            Tested(
                                "tests/browser/test_memory.py::test_the_cookies_are_out_of_reach"
                            )
                        ),
                    ),
                ),
            ),
            Answer(
                "apps",
                "Mobile apps and programs as well",
                (
                    speaks_for(
                        no(BY_COOKIE),
                        "One header says it all: no CSRF token is asked for.",
                        differs("csrf_on_bearer_calls"),
                    ),
                    speaks_against(
                        BY_COOKIE,
                        "A program has to keep cookies, and to send the CSRF token.",
                        differs("csrf_on_bearer_calls"),
                    ),
                ),
            ),
            Answer(
                "sites",
                "Pages on other sites as well",
                (
                    excludes(
                        BY_COOKIE,
                        "Its cookie does not come along when another site's page asks.",
                        differs("cookie_samesite"),
                    ),
                    speaks_against(
                        no(BY_COOKIE),
                        "Its refresh cookie stays at home too: such a page logs in again.",
                        differs("cookie_samesite"),
                    ),
                ),
            ),
        ),
    ),
    Question(
        "down",
        "What may be away for a minute, and requests are answered all the same?",
        (
            Answer(
                "redis",
                "Redis",
                (
                    excludes(
                        rests_on_redis,
                        "Its check rests on Redis: without it the answer is 503.",
                        stated("each_request"),
                        shown_by(
                            Tested("tests/lab/test_decide.py::test_what_rests_on_redis_is_known")
                        ),
                    ),
                ),
            ),
            Answer(
                "database",
                "The database",
                (
                    excludes(
                        READS_ROWS,
                        "Each request reads the database.",
                        differs("whoami_sql_statements"),
                        figure("sql_statements"),
                    ),
                ),
            ),
        ),
    ),
    Question(
        "roles",
        "How soon must a changed role count?",
        (
            Answer(
                "request",
                "At once",
                (
                    excludes(
                        no(AT_ONCE),
                        "Roles stand in the access token until the next one is made.",
                        differs("role_change_seen"),
                        differs("role_change_delay"),
                    ),
                ),
            ),
            Answer("minutes", "Within a quarter of an hour: roles seldom change"),
        ),
    ),
    Question(
        "show",
        "What must users be able to do themselves?",
        (
            Answer(
                "devices",
                "See where they are logged in, and end one of these logins",
                (
                    excludes(
                        lacks("devices"),
                        "No list shows its logins.",
                        differs("lacks"),
                    ),
                    speaks_for(
                        no(LIVES_ON),
                        "An ended login is ended when the list says so.",
                        shown_by(
                            Tested("tests/contract/test_devices.py::test_a_device_can_be_ended")
                        ),
                        differs("whoami_after_logout"),
                    ),
                ),
            ),
            Answer(
                "everywhere",
                "Log out everywhere, with the next request",
                (
                    excludes(
                        LIVES_ON,
                        "Access tokens that are out there go on, for calls that read no user.",
                        differs("whoami_after_logout"),
                        attacked("use-after-logout-all"),
                    ),
                ),
            ),
        ),
    ),
    Question(
        "team",
        "What has the team run before?",
        (
            Answer(
                "django",
                "Django's own sessions",
                (
                    speaks_for(
                        is_of("sessions"),
                        "It stands behind request.session, and Django's own pages work with it.",
                        shown_by(
                            Tested(
                                "tests/sessions_api/test_engine.py::"
                                "test_admin_stands_on_the_same_sessions"
                            )
                        ),
                    ),
                ),
            ),
            Answer(
                "tokens",
                "Tokens, and the keys behind them",
                (
                    speaks_for(
                        is_of("jwt"),
                        "Keys have to be renewed, and the team knows how.",
                        shown_by(Written("docs/keys.md")),
                    ),
                ),
            ),
            Answer(
                "neither",
                "Neither: the fewer parts, the better",
                (
                    speaks_against(
                        is_of("jwt"),
                        "Keys have to be renewed, and refresh tokens to be purged.",
                        shown_by(Written("docs/keys.md")),
                    ),
                    speaks_against(
                        IS_PUSHED,
                        "Each process listens to Redis: one more thing to understand in a bad "
                        "night.",
                        shown_by(Written("docs/security.md#how-soon-an-end-is-an-end")),
                    ),
                ),
            ),
        ),
    ),
)


def question(key: str) -> Question | None:
    return next((question for question in QUESTIONS if question.key == key), None)
