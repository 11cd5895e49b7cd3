"""Who gets a receipt? Whoever sends `X-Lab-Receipt: 1`, in the lab. Outermost, to see all of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import connections
from django.http import HttpRequest, HttpResponseBase

from accounts.contract.checking import noted
from lab.receipts import commands, libraries
from lab.receipts.receipt import HEADER, as_header, made_of
from lab.receipts.recording import Recording, current, now


class ReceiptMiddleware:
    """Puts a receipt on the answer, whatever the answer is: a refusal, a page, a 503.

    Threat: receipts tell how the site is built. Without the lab this is not in the way of any
    request, and nothing is listened to.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.LAB:
            raise MiddlewareNotUsed
        self.get_response = get_response
        commands.listen()
        libraries.mark()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.META.get("HTTP_X_LAB_RECEIPT") != "1" or not settings.LAB:
            return self.get_response(request)
        started = time.time()
        with recorded() as recording, noted() as runs:
            response = self.get_response(request)
            ended = now()
        receipt = made_of(recording, runs, request, response, started=started, ended=ended)
        response[HEADER] = as_header(receipt)
        return response


@contextmanager
def recorded() -> Iterator[Recording]:
    """Write down what this thread asks the stores meanwhile."""
    recording = Recording()
    token = current.set(recording)
    try:
        with ExitStack() as stack:
            for connection in connections.all():
                stack.enter_context(connection.execute_wrapper(recording.statement))
            yield recording
    finally:
        current.reset(token)
