"""What stands in for Redis where no redis-server can run (Windows)? fakeredis, and it says so.

It answers on TCP from a thread of the first process that needs it, and its
data end with that process. Any local user can reach it. A client tells it
from a real server by `INFO`, which it does not know: `redis_facts.kind`.
"""

import atexit
import socket
import threading

FIRST_PORT = 20000  # below the ports that Linux and Windows hand out to clients
PORTS = 10000


def url(name: str) -> str:
    """Return where the simulated Redis of this checkout answers; `name` is a hex digest."""
    return f"redis://127.0.0.1:{_port(name)}/0"


def ensure_running(name: str) -> None:
    """Serve from a thread of this process, unless another process of this checkout does."""
    if _answers(_port(name)):
        return
    # Imported here: only machines without a redis-server install it.
    from fakeredis import TcpFakeServer

    server = TcpFakeServer(("127.0.0.1", _port(name)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="simulated-redis", daemon=True).start()
    atexit.register(server.server_close)


def _port(name: str) -> int:
    return FIRST_PORT + int(name, 16) % PORTS


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as client:
            client.sendall(b"*1\r\n$4\r\nPING\r\n")
            return client.recv(7).startswith(b"+PONG")
    except OSError:
        return False
