"""An issuer that does what it is told: a real HTTP server, whose keys and moods the test sets."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import get_default_algorithms

ISSUER, AUDIENCE = "authdemo", "programs"


def jwk_of(kid: str, key: Any, algorithm: str = "ES256", **members: Any) -> dict[str, Any]:
    """A public key as it stands in a JWKS."""
    public = get_default_algorithms()[algorithm].to_jwk(key.public_key(), as_dict=True)
    return {**public, "kid": kid, "alg": algorithm, "use": "sig", **members}


class Issuer:
    """One key, `k1`, and whatever answer the next reader of its keys gets."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.keys = [jwk_of("k1", self.key)]
        self.status, self.headers, self.body = 200, {"Content-Type": "application/json"}, b""
        self.reads = 0
        self.url = ""

    def token(self, **claims: Any) -> str:
        """A token for the notes, signed by `k1`."""
        now = int(time.time())
        usual = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "7",
            "client_id": "AAAAAAAAAAA",
            "jti": "J" * 22,
            "iat": now,
            "exp": now + 600,
            "scope": "notes:read",
        }
        headers = {"typ": "at+jwt", "kid": "k1"}
        return jwt.encode({**usual, **claims}, self.key, algorithm="ES256", headers=headers)


class _Handler(BaseHTTPRequestHandler):
    issuer: Issuer

    def do_GET(self) -> None:
        issuer = self.issuer
        issuer.reads += 1
        body = issuer.body or json.dumps({"keys": issuer.keys}).encode()
        self.send_response(issuer.status)
        for name, value in issuer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """An issuer whose keys are at `url`."""
    issuer = Issuer()
    handler = type("Handler", (_Handler,), {"issuer": issuer})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        issuer.url = f"http://127.0.0.1:{server.server_port}/jwks.json"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield issuer
        server.shutdown()
        thread.join()
