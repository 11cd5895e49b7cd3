"""Which server answers? gunicorn with several worker processes; on Windows waitress, with one.

Measured by `manage.py benchmark --only servers`; the table is in every whole report. It does not
speak for gunicorn's threads alone: granian answers more requests a second, and where nothing but
quick local clients ask, so may gunicorn's sync worker. What else was looked at:

- `gunicorn sync` is refused: its worker reads one request at a time and keeps no connection. As
  many clients as there are workers, who begin a request and do not end it, and nobody is answered
  (threat: that takes one laptop). It is made to stand behind a proxy that buffers, and `make run`
  has none. Threads only push that further out: workers times threads such clients do the same.
- `granian` has neither weakness. Against it speaks what we hang on gunicorn: the log without what
  clients sent, the metrics of a worker that has ended, workers that end with their terminal. All of
  it would have to be found out anew, on a server whose parser is not Python that one can read here.
- `waitress` waits for slow clients well, in one process, and so on one core. Windows has no fork,
  and gets it.

What it costs: a strategy's lead over another looks smaller under a slower server, never larger.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponseBase
from django.utils.module_loading import import_string

from authdemo.startup import forget_demo_times, forget_former_metrics

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BACKLOG = 512


class PortError(Exception):
    """Raised when nobody can listen there; the message is one sentence for the reader."""


def listen(host: str, port: int) -> socket.socket:
    """Take the port now, before anything is set up: who connects meanwhile waits."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    if os.name == "posix":
        # Otherwise the port stays taken for a minute after the last connection.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise PortError(_why_not(host, port, error)) from error
    return listener


def _why_not(host: str, port: int, error: OSError) -> str:
    other = f"Choose another: PORT={8001 if port < 8000 else port + 1} make run"
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is taken by another program. {other}"
    if error.errno == errno.EACCES:
        return f"Port {port} is for administrators only. {other}"
    return f"Nobody can listen on {host}, port {port}: {error.strerror}."


def serve(listener: socket.socket, *, workers: int) -> int:
    """Serve until Ctrl-C, SIGTERM or the terminal's end; return the exit code."""
    if sys.platform == "win32":
        return serve_with_waitress(listener)
    return serve_with_gunicorn(listener, workers)


def load_application() -> WSGIHandler:
    application: WSGIHandler = import_string("authdemo.wsgi.application")
    return application


def serve_with_waitress(listener: socket.socket) -> int:
    import waitress

    forget_former_metrics()
    forget_demo_times()
    waitress.serve(
        without_body_for_head(load_application()),
        sockets=[listener],
        threads=2 * settings.WEB_THREADS,
    )
    return 0


def without_body_for_head(application: WSGIApplication) -> WSGIApplication:
    """Answer HEAD with headers alone (RFC 9110, section 9.3.2), where the server leaves that to us.

    Threat: a body that nobody expects is read as the beginning of the connection's next answer,
    which may be somebody else's behind a proxy. Django and waitress both send it.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = application(environ, start_response)
        if environ["REQUEST_METHOD"] != "HEAD":
            return response
        if isinstance(response, HttpResponseBase):
            response.close()
        return []

    return answer


if sys.platform != "win32":
    from gunicorn.app.base import BaseApplication
    from gunicorn.arbiter import Arbiter
    from gunicorn.workers.gthread import ThreadWorker

    from authdemo import gunicorn_config

    STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGQUIT}

    class SiteApplication(BaseApplication):
        """The site with gunicorn's settings, none of them from a file or the command line."""

        def __init__(self, settings: dict[str, Any]) -> None:
            self.settings = settings
            super().__init__(prog="authdemo")

        def load_config(self) -> None:
            for name, value in self.settings.items():
                self.cfg.set(name, value)

        def load(self) -> WSGIHandler:
            return load_application()

    class SiteWorker(ThreadWorker):
        """gunicorn's worker, which hears a stop from its first moment; see `spawn_worker`."""

        def init_signals(self) -> None:
            super().init_signals()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    class SiteArbiter(Arbiter):
        """gunicorn's master, which ends with its terminal where gunicorn's own would reload."""

        def handle_hup(self) -> None:
            raise StopIteration

        def spawn_worker(self) -> int:
            # Surprise: until a new worker has handlers of its own it runs its master's, which
            # put a Ctrl-C into a queue that nobody in the worker reads.
            signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
            try:
                pid: int = super().spawn_worker()
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
            return pid

        def stop(self, graceful: bool = True) -> None:
            # A request cut off by Ctrl-C is meant; gunicorn would suspect a lack of memory.
            self.log.error_log.setLevel(logging.CRITICAL)
            super().stop(graceful)

    def serve_with_gunicorn(listener: socket.socket, workers: int) -> int:
        master = os.getpid()
        ignores_hangup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # started by nohup
        if ignores_hangup:
            SiteArbiter.handle_hup = lambda self: None  # type: ignore[method-assign]
        try:
            SiteArbiter(SiteApplication(_gunicorn_settings(listener, workers))).run()
        except SystemExit as end:
            exit_code = end.code if isinstance(end.code, int) else 1
            # Surprise: a worker is a fork of this process and leaves through this line as well.
            # What follows in our callers is for the master alone, and tearing down the worker's
            # interpreter would take seconds on a busy machine.
            if os.getpid() != master:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(exit_code)
            return exit_code
        return 0

    def _gunicorn_settings(listener: socket.socket, workers: int) -> dict[str, Any]:
        return {
            "bind": f"fd://{listener.detach()}",
            "workers": workers,
            "worker_class": SiteWorker,
            "threads": gunicorn_config.threads,
            "backlog": BACKLOG,
            "keepalive": 5,
            "timeout": 60,
            "graceful_timeout": 3,
            "limit_request_line": 4094,
            "limit_request_fields": 64,
            "limit_request_field_size": 8190,
            # Nobody stands before us, so nobody may say that a request came by HTTPS.
            "forwarded_allow_ips": "",
            "loglevel": "warning",
            "logger_class": gunicorn_config.SiteLogger,
            "on_starting": gunicorn_config.on_starting,
            "child_exit": gunicorn_config.child_exit,
            "control_socket_disable": True,
        }
