"""Where can the two flows not be alike? Each difference is data; tests assert it."""

from dataclasses import dataclass
from typing import Any

from lab.strategies import strategy


@dataclass(frozen=True)
class Difference:
    """One legitimate difference: its key, the question it answers, and each flow's answer.

    A strategy answers as the flow that it is a variant of, unless it is named as well.
    """

    key: str
    question: str
    answers: dict[str, object]
    because: dict[str, str]


DIFFERENCES = (
    Difference(
        key="lacks",
        question="Which parts of the contract has it nothing for?",
        answers={
            "sessions": (),
            "jwt": (),
            "jwt-naive": ("cookie", "refresh", "devices", "revocation"),
        },
        because={
            "sessions": "The contract was made for it.",
            "jwt": "The contract was made for it.",
            "jwt-naive": "The server remembers nothing, and one token is all that there is.",
        },
    ),
    Difference(
        key="listed_as",
        question="Under which flow does the device list show its logins?",
        answers={"sessions": "sessions", "jwt": "jwt", "session-database": "session-database"},
        because={
            "sessions": "Its own; and those of its variants, which keep them in its store.",
            "jwt": "Its own; and those of its variants, which keep them in its store.",
            "session-database": "Its own: no other flow looks into its table.",
        },
    ),
    Difference(
        key="whoami_after_logout",
        question="What does `whoami` answer with the old credential right after a logout?",
        answers={"sessions": 401, "jwt": 200, "jwt-lookup": 401, "jwt-push": 401},
        because={
            "sessions": "The record is gone, and every request looks it up.",
            "jwt": "The signature is still good, and nothing is looked up; it ends with `exp`.",
            "jwt-lookup": "The denylist has it, and every request looks there.",
            "jwt-push": "The denylist has it, and every process hears of that.",
        },
    ),
    Difference(
        key="ends_within",
        question="For how many seconds can a request succeed after its device was ended, by the "
        "device list?",
        answers={"sessions": 0, "jwt": 15 * 60 + 30},
        because={
            "sessions": "Every request finds the record gone.",
            "jwt": "An access token is good for its lifetime and the leeway. The list says so of "
            "all that stand in its store, and some strategies refuse them sooner.",
        },
    ),
    Difference(
        key="whoami_sql_statements",
        question="How many SQL statements does `whoami` cost?",
        answers={"sessions": 0, "jwt": 0, "session-database": 2},
        because={
            "sessions": "Redis has a copy of what it needs of the user's row.",
            "jwt": "The claims are in the token.",
            "session-database": "One reads the session and one its user, in any Django project.",
        },
    ),
    Difference(
        key="code_of_a_rotated_secret",
        question="What is said to a secret that was refreshed away, after the grace?",
        answers={"sessions": "credential_revoked", "jwt": "credential_reused"},
        because={
            "sessions": "An old session id opens nothing, so it is refused and that is all.",
            "jwt": "Only a copy can come late, so the whole family is ended.",
        },
    ),
    Difference(
        key="code_of_a_deleted_user",
        question="What is said to a login whose user was deleted?",
        answers={
            "sessions": "credential_revoked",
            "jwt": "credential_revoked",
            "session-database": "credential_invalid",
        },
        because={
            "sessions": "Redis remembers for a day that the session was ended.",
            "jwt": "The token is good, and its user is not there.",
            "session-database": "Its row is gone, and nothing else remembers it.",
        },
    ),
    Difference(
        key="whoami_redis_commands",
        question="How many Redis commands does `whoami` cost?",
        answers={
            "sessions": 1,
            "jwt": 0,
            "session-database": 0,
            "session-push": 0,
            "jwt-lookup": 1,
            "jwt-push": 0,
        },
        because={
            "sessions": "One MGET reads the record and the user's snapshot.",
            "jwt": "The claims are in the token.",
            "session-database": "Its sessions stand in SQL.",
            "session-push": "This process has copies of both, which Redis keeps true.",
            "jwt-lookup": "One MGET reads the denylist.",
            "jwt-push": "This process has a copy of the denylist, which Redis keeps true.",
        },
    ),
    Difference(
        key="role_change_seen",
        question="When does a changed role reach `whoami`?",
        answers={
            "sessions": "next request",
            "jwt": "next refresh",
            "session-database": "next request",
            "jwt-lookup": "next request",
            "jwt-push": "next request",
        },
        because={
            "sessions": "The user's snapshot in Redis is rewritten when the row is saved.",
            "jwt": "Roles stand in the access token until the next one is made.",
            "session-database": "Each request reads the user's row.",
            "jwt-lookup": "The denylist says that the row was changed, and to what.",
            "jwt-push": "The denylist says that the row was changed, and to what.",
        },
    ),
    Difference(
        key="role_change_delay",
        question="For how many seconds can a changed role go unseen, at most?",
        answers={
            "sessions": 0,
            "jwt": 15 * 60 + 30,
            "session-database": 0,
            "jwt-lookup": 0,
            "jwt-push": 0,
        },
        because={
            "sessions": "Each request reads the snapshot.",
            "jwt": "An access token that was made before is good for its lifetime and the leeway.",
            "session-database": "Each request reads the user's row.",
            "jwt-lookup": "Each request reads the denylist.",
            "jwt-push": "Each request looks into a copy of the denylist.",
        },
    ),
    Difference(
        key="csrf_on_bearer_calls",
        question="Does an unsafe call such as `PATCH me/` need the CSRF token?",
        answers={"sessions": True, "jwt": False, "jwt-cookie": True},
        because={
            "sessions": "Its authority is a cookie, which the browser sends by itself.",
            "jwt": "Its authority is a header, which no other site can set.",
            "jwt-cookie": "Its authority is a cookie, which the browser sends by itself.",
        },
    ),
    Difference(
        key="token_in_the_body",
        question="Does a script get a token to send (`credential.token`)?",
        answers={"sessions": False, "jwt": True, "jwt-cookie": False},
        because={
            "sessions": "The cookie says it all, and no script ever sees it.",
            "jwt": "The access token is sent in a header, which only a script can do.",
            "jwt-cookie": "It is in a cookie, so that no script can read it.",
        },
    ),
    Difference(
        key="cookie_name",
        question="Which HttpOnly cookie holds the long-lived secret?",
        answers={
            "sessions": "__Host-sessionid",
            "jwt": "__Host-refresh",
            "session-database": "__Host-sql-sessionid",
            "jwt-naive": None,
        },
        because={
            "sessions": "The session id; every request needs it.",
            "jwt": "The refresh token; only `refresh` and `logout` need it.",
            "session-database": "The session id; one of its own, for its store is another.",
            "jwt-naive": "There is none: its one token is in the body.",
        },
    ),
    Difference(
        key="token_cookie_name",
        question="Which HttpOnly cookie holds the access token, if one does?",
        answers={"sessions": None, "jwt": None, "jwt-cookie": "__Host-access"},
        because={
            "sessions": "It has no access token.",
            "jwt": "A script holds it, in memory.",
            "jwt-cookie": "No script shall; the refresh token has a cookie beside it.",
        },
    ),
    Difference(
        key="cookie_samesite",
        question="Does that cookie come along when another site links here (`SameSite`)?",
        answers={"sessions": "Lax", "jwt": "Strict"},
        because={
            "sessions": "Who follows a link from an e-mail should find themselves logged in.",
            "jwt": "Nobody follows a link to `refresh`.",
        },
    ),
    Difference(
        key="link_of_another_user",
        question="What does an e-mailed link do in a browser where somebody else is logged in?",
        answers={"sessions": "refused", "jwt": "opens"},
        because={
            "sessions": "The cookie comes along, so that the page knows who is there.",
            "jwt": "A link carries no access token; its page shows whose it is, and asks first.",
        },
    ),
    Difference(
        key="calls_of_its_own",
        question="Which calls does it have that the other cannot have?",
        answers={"sessions": (), "jwt": ("tokens/", "tokens/{token}/")},
        because={
            "sessions": "Tokens for outside programs do not apply: a session id is its user, "
            "whole, and means nothing to a service that cannot read our Redis.",
            "jwt": "A token says in itself what it may do, and another service can read it.",
        },
    ),
    Difference(
        key="lives_on_after_reuse",
        question="Does the honest client stay logged in when a refreshed-away secret comes late?",
        answers={"sessions": True, "jwt": False},
        because={
            "sessions": "The old id opens nothing, so that its holder has gained nothing.",
            "jwt": "Nobody can tell which of the two clients is the thief, so both are out.",
        },
    ),
    Difference(
        key="a_thief_is_noticed",
        question="When is a copied credential noticed that is used from elsewhere?",
        answers={"sessions": "next request", "jwt": "next refresh"},
        because={
            "sessions": "The record that every request reads says where it was used before.",
            "jwt": "An access token is not looked up, so only a refresh can compare.",
        },
    ),
    Difference(
        key="lives_on_without_redis",
        question="Which calls succeed while Redis is away?",
        answers={
            "sessions": (),
            "jwt": ("refresh", "whoami", "me", "rename", "logout"),
            "session-database": ("refresh", "whoami", "me", "rename", "logout"),
        },
        because={
            "sessions": "Everything that a session id means stands in Redis.",
            "jwt": "Redis counts the logins and holds the other flow's devices, and that is all.",
            "session-database": "Its sessions stand in SQL; Redis counts the logins, and holds the "
            "other flow's devices.",
        },
    ),
    Difference(
        key="lives_on_with_an_empty_redis",
        question="Is a login still one after Redis came back empty?",
        answers={"sessions": False, "jwt": True},
        because={
            "sessions": "A record that is gone was ended, as far as anybody can tell.",
            "jwt": "Token families stand in the database.",
        },
    ),
    Difference(
        key="revived_by_an_old_redis",
        question="Is an ended login back when Redis is put back to an older copy?",
        answers={"sessions": True, "jwt": False},
        because={
            "sessions": "Only Redis knew that it was ended: run `end_logins --all`.",
            "jwt": "Redis holds nothing of it.",
        },
    ),
    Difference(
        key="revived_by_old_tables",
        question="Is an ended login back when its tables are put back to an older copy?",
        answers={"sessions": False, "jwt": True},
        because={
            "sessions": "The database holds nothing of it.",
            "jwt": "Only they knew that it was ended: run `end_logins --all`.",
        },
    ),
    Difference(
        key="lives_on_while_redis_takes_no_writes",
        question="Which calls succeed while Redis is full, or a replica, and only reads?",
        answers={
            "sessions": ("whoami", "me", "rename", "devices"),
            "jwt": ("refresh", "whoami", "me", "rename", "devices", "end-device", "logout"),
        },
        because={
            "sessions": "A session is read on every request, and written when it changes.",
            "jwt": "Written there: the login limits, and the end of the other flow's devices.",
        },
    ),
    Difference(
        key="lives_on_without_database",
        question="Which calls succeed while the database is away?",
        answers={"sessions": ("whoami", "logout"), "jwt": ("whoami",)},
        because={
            "sessions": "Redis has the session, and a copy of the user's roles; the audit trail "
            "has a gap, which the log fills.",
            "jwt": "Roles stand in the access token; the families stand in the database.",
        },
    ),
    Difference(
        key="lives_on_while_the_database_takes_no_writes",
        question="Which calls succeed while somebody else holds the database's lock?",
        answers={
            "sessions": ("whoami", "me", "devices", "refresh", "end-device", "logout"),
            "jwt": ("whoami", "me", "devices"),
        },
        because={
            "sessions": "Redis has the session; the audit trail has a gap, which the log fills.",
            "jwt": "What changes a login changes its row.",
        },
    ),
    Difference(
        key="refused_while_the_clock_is_off",
        question="Which steps of one server's clock make it refuse a live login while they last?",
        answers={"sessions": (), "jwt": ("-1h", "-60s")},
        because={
            "sessions": "Redis measures the idle time, by a clock of its own.",
            "jwt": "A token that was issued in the future, by more than the leeway, is no token.",
        },
    ),
    Difference(
        key="refused_after_the_clock_was_off",
        question="And which make the others refuse, for a while, a login that this server made?",
        answers={"sessions": (), "jwt": ("+60s",)},
        because={
            "sessions": "The times in a record decide only about its absolute end.",
            "jwt": "The time of issue stands in the token; it is good once the leeway reaches it.",
        },
    ),
)


def difference(key: str, flow: str) -> Any:
    """The answer of one flow to one difference; or of a strategy, by default its flow's."""
    return _of(flow, next(d for d in DIFFERENCES if d.key == key).answers)


def because(key: str, flow: str) -> str:
    """The reason for that answer."""
    return _of(flow, next(d for d in DIFFERENCES if d.key == key).because)


def _of(flow: str, given: dict[str, Any]) -> Any:
    return given[flow] if flow in given else given[strategy(flow).variant_of]
