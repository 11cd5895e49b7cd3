"""How does the server of a stage run? As that of `make run`, and never longer than its stage.

`gunicorn -c python:lab.staging.gunicorn_config`; whoever starts it holds its standard input.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

worker_class = "gthread"
threads = 4
backlog = 512
# Longer than anybody waits between two requests: a connection that is closed just then fails one.
keepalive = 75
timeout = 120
graceful_timeout = 3
loglevel = "warning"
control_socket_disable = True


def when_ready(server: Any) -> None:
    """In the master: end with the stage, also where it was killed and could end nobody."""
    threading.Thread(target=end_with_input, daemon=True).start()


def end_with_input() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
