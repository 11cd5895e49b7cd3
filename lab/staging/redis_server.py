"""On which Redis does a stage stand? On one that nobody else uses, and that is real."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.exceptions import RedisError

from lab.simulated import is_simulated
from lab.staging.processes import StageError, last_line, running
from lab.staging.site import SITE

# Its life is that of its standard input, and so is that of the Redis which it holds.
HOLD_REDIS = (
    "import sys; from django.conf import settings; "
    "print(settings.CACHES['auth']['LOCATION'], flush=True); sys.stdin.read()"
)
SIMULATED = (
    "The Redis at {} is simulated (it does not know INFO): it answers from a Python process, in "
    "another time than Redis does and in the server's own, so that nothing found with it would "
    "say anything. Install redis-server, or name a real one: --redis redis://host:6379/5."
)


@contextmanager
def private_redis(folder: Path) -> Iterator[str]:
    """The URL of a Redis that nobody else uses; it ends with the block.

    It is the embedded one of a checkout whose `var/` is `folder`: a process that does nothing else
    holds it. Raises `StageError` where no server program can be had.
    """
    variables = SITE | {
        "VAR_DIR": str(folder),
        "REDIS_URL": "",
        "DATABASE_URL": f"sqlite:///{folder}/unused.sqlite3",
    }
    log = folder / "redis-holder.log"
    with running(
        variables, sys.executable, "manage.py", "shell", "-v0", "-c", HOLD_REDIS, log=log
    ) as holder:
        assert holder.stdout is not None
        url = holder.stdout.readline().strip()
        if not url:
            raise StageError(f"Redis could not be started: {last_line(log.read_text())}")
        refuse_unfit(url)
        with redis.Redis.from_url(url) as client:
            # The embedded one is bounded, and a million logins are not.
            client.config_set("maxmemory", 0)
        yield url


def refuse_unfit(url: str) -> None:
    """Raise `StageError` unless a real and empty Redis answers there."""
    try:
        with redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()
            if is_simulated(client):
                raise StageError(SIMULATED.format(url))
            if keys := client.dbsize():
                raise StageError(
                    f"The Redis at {url} holds {keys} keys that are not the benchmark's. Name an "
                    "empty database: --redis redis://host:6379/5."
                )
    except (RedisError, OSError, ValueError) as error:
        raise StageError(f"No Redis answers at {url}: {error}.") from error
