"""By which client is Redis asked about credentials? That of the session alias."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from django.conf import settings
from django_redis import get_redis_connection

# redis-py's annotations cover every protocol, sync and async at once, and help nobody here.
Redis: TypeAlias = Any


class _Made(NamedTuple):
    caches: Any
    alias: str
    client: Redis


_made: _Made | None = None


def auth_redis() -> Redis:
    """The client, with bounded timeouts and no swallowed errors; threads share it, and its pool.

    Looked up when the settings name another one, and not for every request: django-redis and
    Django's caches between them take longer for it than a mirror does for its answer.
    """
    global _made
    made, caches, alias = _made, settings.CACHES, settings.SESSION_CACHE_ALIAS
    if made is None or made.caches is not caches or made.alias != alias:
        made = _made = _Made(caches, alias, get_redis_connection(alias))
    return made.client
