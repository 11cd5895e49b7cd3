"""Was this token revoked? A service that may reach the site's Redis hears of it in milliseconds.

What a signature cannot say, the site's denylist says. It is read once, and from then on Redis
announces what changes (`accounts.mirror`), so that no request asks anybody. The names of its keys
are those of `jwt_api.denylist` on the issuer's side.
"""

from __future__ import annotations

from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from accounts.mirror import InThisProcess, Whole
from jwt_api.verifier.tokens import Unsure

MOST = 1_000_000
TIMEOUT_SECONDS = 1.0


class Denylist:
    """The list as this process knows it. `leeway` in seconds: how far clocks may differ."""

    def __init__(self, url: str, *, leeway: int) -> None:
        self.leeway = leeway
        self._redis = Redis.from_url(
            url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
        )
        self._mirror = InThisProcess(Whole, "denied:", most=MOST)
        self._mirror.of(self._redis)  # begins to listen before the first request

    def has(self, claims: dict[str, Any]) -> bool:
        """Whether a token with these claims, of the shapes that were checked, was revoked.

        Raises `Unsure` while Redis is away, and for tokens that are older than the list.
        """
        user = f"denied:{{{claims['sub']}}}"
        device = claims.get("sid", claims["client_id"])
        try:
            names = ["denied:since", user, f"{user}:{device}"]
            since, row, ended = self._mirror.of(self._redis).get(names)
        except RedisError as error:
            raise Unsure("Redis is away") from error
        if ended is not None or (row is not None and is_outdated(row, claims)):
            return True
        # Threat: a Redis that was emptied has forgotten what it denied.
        if since is None or not since.isdigit() or claims["iat"] <= int(since) + self.leeway:
            raise Unsure("older than the denylist")
        return False


def is_outdated(row: bytes, claims: dict[str, Any]) -> bool:
    """Whether the token's user has ended it, by logging out everywhere, or may not log in."""
    try:
        epoch, *unusual = row.decode().split(" ")  # as `accounts.snapshots` writes it
        return "inactive" in unusual or int(epoch) != claims.get("epoch")
    except ValueError as error:
        raise Unsure("the user's row is changing") from error
