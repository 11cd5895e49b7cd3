"""How does a test read what an operator reads? From the stream of the log's own handler."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

from structlog.stdlib import ProcessorFormatter

from accounts.log_format import formatter

Line = dict[str, Any]


class Log:
    """What was written while a test was reading along."""

    def __init__(self) -> None:
        self.stream = StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def lines(self, *events: str) -> list[Line]:
        """Every line, or those of some events; that each one is JSON is tested by this as well."""
        lines = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in lines if not events or line["event"] in events]

    def only(self, event: str) -> Line:
        """The one line of an event."""
        found = self.lines(event)
        assert len(found) == 1, found
        return found[0]


@contextmanager
def reading(shape: str = "", level: int = logging.DEBUG) -> Iterator[Log]:
    """Read along, at a `LOG_LEVEL` and in the configured `LOG_FORMAT`, or in another shape."""
    (handler,) = [
        handler
        for handler in logging.root.handlers
        if isinstance(handler, logging.StreamHandler)
        and isinstance(handler.formatter, ProcessorFormatter)
    ]
    log, configured, root_level = Log(), handler.formatter, logging.root.level
    own_client = logging.getLogger("httpx")  # the test's, and no part of the site
    stream = handler.setStream(log.stream)
    logging.root.setLevel(level)
    own_client.disabled = True
    if shape:
        handler.setFormatter(formatter(shape))
    try:
        yield log
    finally:
        handler.setStream(stream)
        handler.setFormatter(configured)
        logging.root.setLevel(root_level)
        own_client.disabled = False
