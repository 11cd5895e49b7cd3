"""Where can the two flows not be alike? Each difference is data; tests assert it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Difference:
    """One legitimate difference: its key, the question it answers, and each flow's answer."""

    key: str
    question: str
    answers: dict[str, object]
    because: dict[str, str]


DIFFERENCES = (
    Difference(
        key="whoami_after_logout",
        question="What does `whoami` answer with the old credential right after a logout?",
        answers={"sessions": 401, "jwt": 200},
        because={
            "sessions": "The record is gone, and every request looks it up.",
            "jwt": "The signature is still good, and nothing is looked up; it ends with `exp`.",
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
        key="whoami_redis_commands",
        question="How many Redis commands does `whoami` cost?",
        answers={"sessions": 1, "jwt": 0},
        because={
            "sessions": "One MGET reads the record and the user's snapshot.",
            "jwt": "The claims are in the token.",
        },
    ),
    Difference(
        key="role_change_seen",
        question="When does a changed role reach `whoami`?",
        answers={"sessions": "next request", "jwt": "next refresh"},
        because={
            "sessions": "The user's snapshot in Redis is rewritten when the row is saved.",
            "jwt": "Roles stand in the access token until the next one is made.",
        },
    ),
    Difference(
        key="role_change_delay",
        question="For how many seconds can a changed role go unseen, at most?",
        answers={"sessions": 0, "jwt": 15 * 60 + 30},
        because={
            "sessions": "Each request reads the snapshot.",
            "jwt": "An access token that was made before is good for its lifetime and the leeway.",
        },
    ),
    Difference(
        key="csrf_on_bearer_calls",
        question="Does an unsafe call such as `PATCH me/` need the CSRF token?",
        answers={"sessions": True, "jwt": False},
        because={
            "sessions": "Its authority is a cookie, which the browser sends by itself.",
            "jwt": "Its authority is a header, which no other site can set.",
        },
    ),
    Difference(
        key="token_in_the_body",
        question="Does a script get a token to send (`credential.token`)?",
        answers={"sessions": False, "jwt": True},
        because={
            "sessions": "The cookie says it all, and no script ever sees it.",
            "jwt": "The access token is sent in a header, which only a script can do.",
        },
    ),
    Difference(
        key="cookie_name",
        question="Which HttpOnly cookie holds the long-lived secret?",
        answers={"sessions": "__Host-sessionid", "jwt": "__Host-refresh"},
        because={
            "sessions": "The session id; every request needs it.",
            "jwt": "The refresh token; only `refresh` and `logout` need it.",
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
        },
        because={
            "sessions": "Everything that a session id means stands in Redis.",
            "jwt": "Redis counts the logins and holds the other flow's devices, and that is all.",
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


def difference(key: str, flow: str) -> object:
    """The answer of one flow to one difference."""
    return next(d for d in DIFFERENCES if d.key == key).answers[flow]
