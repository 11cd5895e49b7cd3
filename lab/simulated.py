"""Is this Redis a real one? Where none can run, fakeredis stands in, and times are its own."""

from __future__ import annotations

from redis.exceptions import NoPermissionError, ResponseError

from accounts.auth_redis import Redis, auth_redis


class Simulated(Exception):
    """Raised for a Redis that is none: its figures would be of something else."""


def is_simulated(redis: Redis) -> bool:
    """No imitation knows INFO; who forbids it is real. Raises `RedisError` where nobody answers."""
    try:
        redis.info("server")
    except NoPermissionError:
        return False
    except ResponseError:
        return True
    return False


def refuse_simulated_redis() -> None:
    """Raise `Simulated` unless the site's Redis is a real one."""
    if is_simulated(auth_redis()):
        raise Simulated(
            "This Redis is simulated: what it takes is no measure of Redis. Install redis-server, "
            "or name one by REDIS_URL."
        )
