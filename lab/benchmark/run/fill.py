"""How do a million logins get there? Written in bulk, as the flows write one.

Runs inside the measured site: adds the logins of these numbers, a session and a token family each.
What a session holds is copied from one that somebody really has: ada's.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.db import transaction
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts.contract.flow import new_device_id
from accounts.models import User
from jwt_api.models import TokenFamily
from lab.benchmark.run.logins import USERNAME
from sessions_api import store
from sessions_api.records import digest_of, index_name, new_session_id, session_key_name

FIRST_USER = 1_000_000  # far above those who can log in
DEVICES_OF_A_USER = 2
AT_ONCE = 10_000


def fill(first: int, last: int) -> None:
    """Add the logins from `first` up to, and without, `last`."""
    model = User.objects.get(username=USERNAME)
    for start in range(first, last, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, last))
        users = [FIRST_USER + number // DEVICES_OF_A_USER for number in numbers]
        with transaction.atomic():
            add_users(users)
            add_families(numbers, users)
        add_sessions(users, model)


def add_users(users: list[int]) -> None:
    User.objects.bulk_create(
        (User(id=user, username=f"filler-{user}", password="!") for user in sorted({*users})),  # noqa: S106
        ignore_conflicts=True,  # whose first device was the last of the chunk before
    )


def add_families(numbers: range, users: list[int]) -> None:
    now = datetime.now(UTC)
    ends = now + timedelta(seconds=settings.REFRESH_IDLE_SECONDS)
    tokens = OutstandingToken.objects.bulk_create(
        OutstandingToken(
            user_id=user,
            jti=f"filler-{number}-0123456789",
            token="not stored",  # noqa: S106
            created_at=now,
            expires_at=ends,
        )
        for number, user in zip(numbers, users, strict=True)
    )
    TokenFamily.objects.bulk_create(
        family(user, token, now) for user, token in zip(users, tokens, strict=True)
    )


def family(user: int, token: OutstandingToken, now: datetime) -> TokenFamily:
    return TokenFamily(
        id=new_device_id(),
        user_id=user,
        epoch=1,
        created=now,
        last_used=now,
        absolute_end=now + timedelta(seconds=settings.ABSOLUTE_SECONDS),
        ip="127.0.0.1",
        user_agent="Firefox on Linux",
        current=token,
    )


def add_sessions(users: list[int], model: User) -> None:
    """As they lie in Redis while nobody uses them."""
    redis = store.redis()
    (_, record), *_ = store.live_records(model.pk)
    idle = record.idle_seconds(time.time())
    with redis.pipeline(transaction=False) as pipe:
        for user in users:
            digest = digest_of(new_session_id(user))
            data = {**record.data, SESSION_KEY: str(user)}
            own = replace(record, device=new_device_id(), data=data)
            pipe.set(session_key_name(user, digest), own.encode(), ex=idle)
            pipe.zadd(index_name(user), {digest: int(time.time()) + idle})
            pipe.expire(index_name(user), settings.ABSOLUTE_SECONDS)
        pipe.execute()
