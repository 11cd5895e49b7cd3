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
    "insecure configuration: the session alias, or its database, is shared with another cache.",
    hint="Give sessions an alias and a Redis database of their own: cache.clear() empties all of "
    "it, and would log everybody out.",
    id="sessions_api.E003",
)
E004 = Error(
    "insecure configuration: the session alias waits for Redis for longer than 3 seconds.",
    hint="Set SOCKET_TIMEOUT and SOCKET_CONNECT_TIMEOUT (REDIS_TIMEOUT_SECONDS) to 3 or less: "
    "a stalled Redis would stall every worker.",
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
E007 = Error(
    "insecure configuration: the session alias may read from a replica.",
    hint="Name one server, or a Sentinel with ?is_master=1 and the default client: a replica that "
    "lags behind would answer for a session that was ended.",
    id="sessions_api.E007",
)
LONGEST_TIMEOUT = 3


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
    if is_shared(alias):
        found.append(E003)
    waits = (options.get("SOCKET_TIMEOUT"), options.get("SOCKET_CONNECT_TIMEOUT"))
    if not all(wait and wait <= LONGEST_TIMEOUT for wait in waits):
        found.append(E004)
    if may_read_from_a_replica(alias):
        found.append(E007)
    if settings.SESSION_SAVE_EVERY_REQUEST:
        found.append(E006)
    return found


def is_shared(alias: dict[str, Any]) -> bool:
    """Whether `clear()` of a cache would empty it too: it is FLUSHDB, whatever the prefix."""
    locations = [each.get("LOCATION") for each in settings.CACHES.values()]
    return settings.SESSION_CACHE_ALIAS == "default" or locations.count(alias.get("LOCATION")) > 1


def may_read_from_a_replica(alias: dict[str, Any]) -> bool:
    """django-redis takes all but the first of several servers for replicas, and reads from any."""
    location = alias.get("LOCATION", "")
    servers = location.split(",") if isinstance(location, str) else location
    client = alias.get("OPTIONS", {}).get("CLIENT_CLASS", "")
    return len(servers) > 1 or "is_master=0" in servers[0] or client.endswith("SentinelClient")
