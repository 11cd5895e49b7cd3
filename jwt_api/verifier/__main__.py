"""How is the service started? `python -m jwt_api.verifier`; Ctrl-C ends it."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Callable
from ipaddress import ip_address
from socketserver import ThreadingMixIn
from types import FrameType
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from jwt_api.verifier.app import NotesService
from jwt_api.verifier.keys import KnownKeys
from jwt_api.verifier.tokens import LEEWAY_SECONDS, Verifier


class Server(ThreadingMixIn, WSGIServer):
    """A thread for each connection; none of them keeps the process from ending."""

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """Python's own, which gives up on a client that says nothing, and logs no request line."""

    timeout = 10

    def log_message(self, format: str, *args: Any) -> None:
        """Threat: a URL may hold a token."""


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m jwt_api.verifier",
        description="Serve GET /notes/ to who shows a token that the issuer's keys verify.",
    )
    parser.add_argument(
        "--jwks", type=url_of_keys, default="http://127.0.0.1:8000/.well-known/jwks.json"
    )
    parser.add_argument("--issuer", default="authdemo", help="JWT_ISSUER of the site")
    parser.add_argument("--audience", default="programs", help="JWT_PROGRAM_AUDIENCE of the site")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8001, help="0 takes a free one")
    parser.add_argument("--max-age", type=float, default=300, help="seconds until keys are re-read")
    parser.add_argument("--cooldown", type=float, default=30, help="seconds between two reads")
    parser.add_argument(
        "--redis",
        metavar="URL",
        help="the site's Redis, for its denylist; without it a token is good until it expires",
    )
    parser.add_argument(
        "--when-unsure",
        choices=("refuse", "accept"),
        default="refuse",
        help="while the denylist cannot tell: 503, or as without one",
    )
    return parser.parse_args(words)


def url_of_keys(text: str) -> str:
    """Threat: keys that come over plain HTTP are those of whoever stands on the way."""
    url = urlsplit(text)
    if url.scheme == "https" or (url.scheme == "http" and is_loopback(url.hostname or "")):
        return text
    raise argparse.ArgumentTypeError(f"{text} is neither https:// nor on this machine")


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def denylist_at(url: str) -> Callable[[dict[str, Any]], bool]:
    # Only here: who is told of no Redis needs no client for it.
    from jwt_api.verifier.denylist import Denylist

    return Denylist(url, leeway=LEEWAY_SECONDS).has


def interrupt(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(words: list[str]) -> None:
    """Serve until interrupted."""
    options = arguments(words)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    keys = KnownKeys(options.jwks, max_age=options.max_age, cooldown=options.cooldown)
    service = NotesService(
        Verifier(
            keys,
            options.issuer,
            options.audience,
            is_revoked=denylist_at(options.redis) if options.redis else None,
            accepts_unsure=options.when_unsure == "accept",
        )
    )
    signal.signal(signal.SIGTERM, interrupt)
    with make_server(options.host, options.port, service, Server, Handler) as server:
        address = f"http://{options.host}:{server.server_port}/notes/"
        sys.stdout.write(f"The notes are at {address}, for tokens by {options.jwks}\n")
        sys.stdout.flush()
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            sys.stdout.write("Stopped.\n")


if __name__ == "__main__":
    main(sys.argv[1:])
