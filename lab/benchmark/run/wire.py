"""How is Redis put further away? By a TCP proxy that holds every reply back for a while.

A process of its own, so that it takes no time of those whose requests it delays:
`python -m lab.benchmark.run.wire HOST:PORT` (or the path of a Unix socket) says its port, then
reads one number a line, the milliseconds from there on, and ends with its input. Half of it on the
way there and half on the way back would be the same to whoever waits for the reply.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from contextlib import suppress


class Wire:
    """Passes everything on, replies later."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.seconds = 0.0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]

    def serve(self) -> None:
        while True:
            near, _ = self.listener.accept()
            near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            far = self.connect()
            threading.Thread(target=self.pass_on, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(far, near, True), daemon=True).start()

    def connect(self) -> socket.socket:
        if "/" in self.target:
            far = socket.socket(socket.AF_UNIX)
            far.connect(self.target)
            return far
        host, _, port = self.target.rpartition(":")
        far = socket.create_connection((host.strip("[]"), int(port)))
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return far

    def pass_on(self, source: socket.socket, sink: socket.socket, is_reply: bool) -> None:
        with suppress(OSError):
            while part := source.recv(65536):
                if is_reply and self.seconds:
                    time.sleep(self.seconds)
                sink.sendall(part)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def main(target: str) -> None:
    wire = Wire(target)
    threading.Thread(target=wire.serve, daemon=True).start()
    sys.stdout.write(f"{wire.port}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        wire.seconds = float(line) / 1000
        sys.stdout.write("set\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
