"""How does gunicorn run here? `gunicorn -c python:authdemo.gunicorn_config authdemo.wsgi`

`manage.py demo` starts gunicorn with the same hooks (`authdemo.web_server`), and stricter: nobody
stands before that one.
"""

import os
from typing import Any

from django.conf import settings
from django.utils.log import configure_logging
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger
from gunicorn.workers.base import Worker

from authdemo.startup import forget_demo_times, forget_former_metrics

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "authdemo.settings")

bind = f"127.0.0.1:{settings.PORT}"  # a proxy stands before it
workers = settings.WEB_WORKERS
# Not gunicorn's own choice, `sync`: `authdemo.web_server` says why.
worker_class = "gthread"
threads = settings.WEB_THREADS

# For whoever turns the access log on: gunicorn's own format has the query string, and a token that
# somebody put there.
access_log_format = "%(t)s %(h)s %(m)s %(U)s %(s)s %(B)s bytes %(M)s ms"


class SiteLogger(Logger):
    """gunicorn's own lines, in the one form of the site's log, and without what clients sent."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)
        self.error_log.handlers.clear()
        self.error_log.propagate = True

    def warning(self, msg: str, *args: Any, **kwargs: Any) -> None:
        # Threat: "Invalid request from ip=…: Invalid HTTP Header: 'Authorization …'" quotes what it
        # could not read.
        if msg.startswith("Invalid request from"):
            msg = ": ".join(msg.split(": ", 2)[:2])
        super().warning(msg, *args, **kwargs)


logger_class = SiteLogger


def on_starting(server: Arbiter) -> None:
    """In the master, before it has workers."""
    forget_former_metrics()
    forget_demo_times()


def child_exit(server: Arbiter, worker: Worker) -> None:
    """In the master, after a worker has ended. What it has counted stays: counters only grow."""
    if settings.METRICS:
        # Surprise: imported before the settings are read, it would not know of several processes.
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)
