"""What does a request need of its user's row, and how is it known without SQL? A copy in Redis.

Both flows copy the same columns, each under names of its own: `sessions_api.store` for every
request, `jwt_api.denylist` only for as long as older tokens live.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress
from typing import Any

from accounts.auth_redis import Redis
from accounts.contract.checking import check
from accounts.models import User

logger = logging.getLogger("authdemo.snapshots")

# Stands in a snapshot's place while a transaction changes the row: ask the database.
CHANGING = b"changing"
UNUSUAL = ("inactive", "staff", "superuser")


@dataclass(frozen=True)
class Snapshot:
    """What a request needs of the user's row."""

    epoch: int
    is_active: bool
    is_staff: bool
    is_superuser: bool

    @check("epoch", "Its user may log in, and has not ended all logins since.")
    def admits(self, epoch: int | None) -> bool:
        """Whether a credential of that epoch is let in: its user may log in, and ended nothing."""
        return self.is_active and self.epoch == epoch

    def encode(self) -> str:
        """`1763800000`, or `1763800000 inactive staff superuser`: the epoch, and what is unusual.

        Nearly every user's is a number alone, which Redis keeps without a text.
        """
        is_so = (not self.is_active, self.is_staff, self.is_superuser)
        return " ".join([str(self.epoch), *compress(UNUSUAL, is_so)])

    @classmethod
    def decode(cls, raw: bytes | None) -> Snapshot | None:
        """The snapshot; None if it is missing, or not one of ours: then the row is read again."""
        try:
            return cls._read(raw) if raw else None
        except ValueError:
            if raw != CHANGING:
                logger.error("a snapshot of a user is not readable")
            return None

    @classmethod
    @lru_cache(maxsize=1024)
    def _read(cls, raw: bytes) -> Snapshot:
        """The text decides, and nothing else, so that it is parsed once."""
        epoch, *said = raw.decode().split(" ")
        if not set(said) <= set(UNUSUAL):
            raise ValueError("says what no snapshot says")
        inactive, staff, superuser = (word in said for word in UNUSUAL)
        return cls(int(epoch), is_active=not inactive, is_staff=staff, is_superuser=superuser)


GONE = Snapshot(epoch=0, is_active=False, is_staff=False, is_superuser=False)


def row_of(user_id: int) -> Snapshot:
    """The row as it is now; `GONE` if there is none. One SQL statement."""
    row = User.objects.filter(pk=user_id).values(*Snapshot.__annotations__).first()
    return Snapshot(**row) if row else GONE


def copy_row(redis: Redis, name: str, user_id: int, *, seconds: int, committed: bool) -> Snapshot:
    """Read the user's row, copy it to Redis for so many seconds, and return it.

    The row is read while the key is watched: whoever would write an older row after a
    newer one fails, and reads again. While the row is changing nothing is copied, except
    by the one who has `committed` the change. Raises `RedisError`.
    """

    def copy(pipe: Any) -> Snapshot:
        is_changing = pipe.get(name) == CHANGING and not committed
        snapshot = row_of(user_id)
        pipe.multi()
        if not is_changing:
            pipe.set(name, snapshot.encode(), ex=seconds)
        return snapshot

    return redis.transaction(copy, name, value_from_callable=True)
