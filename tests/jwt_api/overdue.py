"""How does a table get a million rows whose time is over? By SQL that makes them itself."""

from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from accounts.models import User

TOKENS_PER_FAMILY = 10
# The same statements on both databases, but for these words.
WORDS = {
    "sqlite": {
        "random": "lower(hex(randomblob(16)))",
        "plus": "strftime('%Y-%m-%d %H:%M:%f', {moment}, ({seconds}) || ' seconds')",
        "moment": "'{moment:%Y-%m-%d %H:%M:%S}'",
    },
    "postgresql": {
        "random": "md5(random()::text || n)",
        "plus": "({moment} + ({seconds}) * interval '1 second')",
        "moment": "'{moment:%Y-%m-%d %H:%M:%S}+00'::timestamptz",
    },
}


def fill(count: int, *owners: User, ended_before: datetime, over: timedelta) -> None:
    """Write `count` expired refresh tokens, a tenth as many dead families, and `count` events.

    The last token expired, and the last event was written, at `ended_before`, the first ones
    `over` earlier. Each family's last token was never used; all others are on the blacklist.
    The `owners` have ids one after the other, and take turns.
    """
    first_owner = owners[0].pk
    assert [user.pk for user in owners] == [*range(first_owner, first_owner + len(owners))]
    owner = f"{first_owner} + n % {len(owners)}"
    words = WORDS[connection.vendor]

    def at(seconds: str) -> str:
        moment = words["moment"].format(moment=ended_before - over)
        return words["plus"].format(moment=moment, seconds=seconds)

    step = f"n * {over.total_seconds() / count:f}"
    week = 7 * 86400
    numbers = (
        "WITH RECURSIVE numbers(n) AS "
        f"(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(id), 0) FROM token_blacklist_outstandingtoken")
        first = cursor.fetchone()[0]
        cursor.execute(
            "INSERT INTO token_blacklist_outstandingtoken"
            f" (id, user_id, jti, token, created_at, expires_at) {numbers}"
            f" SELECT {first} + n, {owner}, {words['random']}, '(not stored)',"
            f" {at(f'{step} - {week}')}, {at(step)} FROM numbers"
        )
        cursor.execute(
            "INSERT INTO token_blacklist_blacklistedtoken (token_id, blacklisted_at)"
            f" {numbers} SELECT {first} + n, {at(f'{step} - {week}')} FROM numbers"
            f" WHERE n % {TOKENS_PER_FAMILY} > 0"
        )
        cursor.execute(
            "INSERT INTO jwt_api_tokenfamily (id, user_id, epoch, created, last_used,"
            " absolute_end, ip, user_agent, generation, current_id, previous_id, ended_because,"
            " history)"
            f" {numbers} SELECT 'old' || ({first} + n), {owner}, 0, {at(step)},"
            f" {at(step)}, {at(f'{step} + {4 * week}')}, '127.0.0.1', 'test',"
            f" {TOKENS_PER_FAMILY}, {first} + n, {first} + n - 1, '', '{{}}'"
            f" FROM numbers WHERE n % {TOKENS_PER_FAMILY} = 0"
        )
        cursor.execute(
            "INSERT INTO accounts_authevent"
            " (created, kind, flow, user_id, device, ip, user_agent, detail)"
            f" {numbers} SELECT {at(step)}, 'refresh', 'jwt', {owner}, 'old' || n,"
            " '127.0.0.1', 'test', '' FROM numbers"
        )
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence('token_blacklist_outstandingtoken', 'id'),"
                f" {first + count})"
            )
        cursor.execute("ANALYZE")


def crowd(count: int) -> list[User]:
    """Users who never log in, for a table where no one's rows are many."""
    return User.objects.bulk_create(User(username=f"user{n}") for n in range(count))


def some_time_ago(days: float) -> datetime:
    return timezone.now() - timedelta(days=days)
