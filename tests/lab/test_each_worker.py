"""Is every worker found, and still there to be asked once all of them are?"""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from django.conf import LazySettings

from lab.side.workers import AT_ONCE, each_worker

pytestmark = pytest.mark.once
ROUNDS_OF_THE_FIRST = 12  # after these, the second worker accepts
IDLE_ROUNDS = 3  # as a server counts seconds: who asked nothing for longer is hung up on


@contextmanager
def served_late() -> Iterator[str]:
    """The address of a server whose second worker comes late, when its first has lost patience."""
    pids: list[int] = []  # of each connection, in the order they came

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            self.pid = 1 if len(pids) < ROUNDS_OF_THE_FIRST * AT_ONCE else 2
            pids.append(self.pid)
            self.asked_at = len(pids)

        def do_GET(self) -> None:
            if len(pids) - self.asked_at > IDLE_ROUNDS * AT_ONCE:
                self.close_connection = True
                return
            self.asked_at = len(pids)
            body = b'{"pid": %d}' % self.pid
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = AT_ONCE

    server = Server(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_worker_stays_on_the_line_until_the_last_is_found(settings: LazySettings) -> None:
    settings.WEB_WORKERS = 2
    with served_late() as address, each_worker(address, "/") as workers:
        assert [worker.get("/", {})[1]["pid"] for worker in workers] == [1, 2]
