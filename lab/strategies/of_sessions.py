"""In which ways can a server check a session id? Three of them; `of_tokens` has the others."""

from lab.strategies import database_sessions
from lab.strategies.row import ANNOUNCED, Strategy
from sessions_api.authentication import Authentication
from sessions_api.flow import Flow

# --- the sessions flow with one choice fixed, whatever the settings say ----------------------


class AskingRedis(Authentication):
    check = "redis"


class SessionRedis(Flow):
    key = "session-redis"
    authentication = AskingRedis


class Mirrored(Authentication):
    check = "push"


class SessionPush(Flow):
    key = "session-push"
    authentication = Mirrored


# --- the rows -------------------------------------------------------------------------------

ROWS = (
    Strategy(
        key="session-database",
        flow=database_sessions.flow,
        variant_of="sessions",
        title="Session in SQL",
        each_request="Two SQL statements: Django's session row, and its user's row.",
        lives_after="Until the next request.",
    ),
    Strategy(
        key="session-redis",
        flow=SessionRedis(),
        variant_of="sessions",
        title="Session in Redis",
        each_request="One Redis read: the session's record and a copy of its user.",
        lives_after="Until the next request.",
    ),
    Strategy(
        key="session-push",
        flow=SessionPush(),
        variant_of="sessions",
        title="Session in memory",
        each_request="This process's memory, which Redis keeps true by announcing what changes.",
        lives_after=ANNOUNCED,
    ),
)
