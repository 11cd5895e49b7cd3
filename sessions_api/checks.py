"""Which configuration would make the sessions flow unsafe? Its twin is `jwt_api.checks`."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register

E001 = Error(
    "insecure configuration: the session alias does not use django-redis's JSON serializer.",
    hint="Set OPTIONS SERIALIZER to django_redis.serializers.json.JSONSerializer: who can write "
    "a pickle to Redis runs code in your web server.",
    id="sessions_api.E001",
)
E002 = Error(
    "insecure configuration: the session alias ignores Redis errors.",
    hint="Remove IGNORE_EXCEPTIONS: a logout that Redis did not take would be answered as done.",
    id="sessions_api.E002",
)
E003 = Error(
    "insecure configuration: the session alias is shared with the general cache.",
    hint="Give sessions an alias of their own: cache.clear() would log everybody out.",
    id="sessions_api.E003",
)
E004 = Error(
    "insecure configuration: the session alias waits for Redis without a limit.",
    hint="Set SOCKET_TIMEOUT and SOCKET_CONNECT_TIMEOUT: a stalled Redis would stall every worker.",
    id="sessions_api.E004",
)
E005 = Error(
    "insecure configuration: the session alias is not django-redis.",
    hint="Set BACKEND to django_redis.cache.RedisCache: memory of one process is not shared.",
    id="sessions_api.E005",
)


E006 = Error(
    "insecure configuration: SESSION_SAVE_EVERY_REQUEST is on.",
    hint="Leave it off: use renews a session's idle time by itself, and late answers to an old id "
    "would overwrite the cookie of a newer one.",
    id="sessions_api.E006",
)


@register(Tags.security)
def check_session_alias(**kwargs: Any) -> list[CheckMessage]:
    alias: dict[str, Any] = settings.CACHES.get(settings.SESSION_CACHE_ALIAS, {})
    options: dict[str, Any] = alias.get("OPTIONS", {})
    found: list[CheckMessage] = []
    if not alias.get("BACKEND", "").startswith("django_redis."):
        return [E005]
    if not options.get("SERIALIZER", "").endswith("JSONSerializer"):
        found.append(E001)
    if options.get("IGNORE_EXCEPTIONS") or getattr(settings, "DJANGO_REDIS_IGNORE_EXCEPTIONS", 0):
        found.append(E002)
    if settings.SESSION_CACHE_ALIAS == "default":
        found.append(E003)
    if not (options.get("SOCKET_TIMEOUT") and options.get("SOCKET_CONNECT_TIMEOUT")):
        found.append(E004)
    if settings.SESSION_SAVE_EVERY_REQUEST:
        found.append(E006)
    return found
