"""What must run before this process serves? The embedded Redis, if REDIS_URL names none."""

import logging

from django.conf import settings

from authdemo import embedded_redis

logger = logging.getLogger(__name__)


def start_redis() -> None:
    """Start the embedded Redis if it is ours to start; log one line if it cannot run.

    Not an error to the caller: what needs no Redis goes on working, and the
    rest answers 503 and says why.
    """
    if settings.REDIS_URL:
        return
    try:
        embedded_redis.ensure_running(settings.VAR_DIR)
    except (embedded_redis.EmbeddedRedisError, OSError) as error:
        logger.error("The embedded Redis is not running: %s", error)
