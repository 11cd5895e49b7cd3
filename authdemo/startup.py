"""What must hold before this process serves? A Redis that runs, a configuration that is safe.

And where it counts for `/metrics`, no counts of former servers.
"""

import logging

from django.conf import settings
from django.core.checks import ERROR, run_checks
from django.core.exceptions import ImproperlyConfigured

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


def tell_flows() -> None:
    """Let every flow do what it does before the first request; after `django.setup`."""
    from accounts.contract.registry import flows

    for flow in flows():
        flow.serving()


def forget_former_metrics() -> None:
    """Delete the counters of a server that ran before; only its successor's master may call it."""
    for file in settings.METRICS_DIR.glob("*.db"):
        file.unlink(missing_ok=True)


def forget_demo_times() -> None:
    """Go back to the usual times, whatever the lab's page had chosen before; as above."""
    settings.DEMO_TIMES_FILE.unlink(missing_ok=True)


def refuse_insecure_configuration() -> None:
    """Raise `ImproperlyConfigured` with every error that the system checks find.

    Commands run the checks by themselves; a WSGI server does not, and would serve.
    """
    errors = [found for found in run_checks() if found.level >= ERROR and not found.is_silenced()]
    if errors:
        raise ImproperlyConfigured("\n".join(f"{error.msg} {error.hint or ''}" for error in errors))
