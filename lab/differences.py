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
        key="csrf_on_bearer_calls",
        question="Does an unsafe call such as `PATCH me/` need the CSRF token?",
        answers={"sessions": True, "jwt": False},
        because={
            "sessions": "Its authority is a cookie, which the browser sends by itself.",
            "jwt": "Its authority is a header, which no other site can set.",
        },
    ),
)


def difference(key: str, flow: str) -> object:
    """The answer of one flow to one difference."""
    return next(d for d in DIFFERENCES if d.key == key).answers[flow]
