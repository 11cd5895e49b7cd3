"""What does a signature cost, and what does a token weigh? By algorithm, and by number of claims.

PyJWT alone, in one process: what SimpleJWT and this project sign and verify by. Verifying checks
the signature and `exp`; sizes are those of the whole token.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from secrets import token_bytes
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from lab.benchmark.run.plan import Bench, Step, interleaved

CLAIMS = (5, 10, 20, 40)
BLOCK = 20  # tokens in a row
SUBJECT = "PyJWT"


class Keys(NamedTuple):
    signing: Any
    verifying: Any


def keys() -> dict[str, Keys]:
    """Fresh ones, of the length that is usual for each algorithm."""
    secret = token_bytes(32)
    pairs: dict[str, Any] = {
        "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }
    asymmetric = {name: Keys(key, key.public_key()) for name, key in pairs.items()}
    return {"HS256": Keys(secret, secret), **asymmetric}


def payload(claims: int) -> dict[str, Any]:
    """`exp`, and further claims of eleven characters each."""
    further = {f"claim-{number:02}": "0123456789a" for number in range(claims - 1)}
    return {"exp": int(time.time()) + 3600, **further}


def steps(bench: Bench) -> list[Step]:
    ring = keys()

    def turns() -> Iterator[Step]:
        for algorithm in ring:
            for claims in CLAIMS:
                run = partial(measure, bench, algorithm, ring[algorithm], claims)
                yield Step(f"{algorithm}, {claims} claims", 0.02, run)

    sizes = [
        Step("sizes of tokens", 0.02, partial(measure_size, bench, algorithm, ring[algorithm]))
        for algorithm in ring
    ]
    return [*sizes, *interleaved(max(3, bench.counts.rounds), turns)]


def measure(bench: Bench, algorithm: str, pair: Keys, claims: int) -> None:
    body = payload(claims)
    token = jwt.encode(body, pair.signing, algorithm)
    calls: dict[str, Callable[[], object]] = {
        "sign_microseconds": partial(jwt.encode, body, pair.signing, algorithm),
        "verify_microseconds": partial(jwt.decode, token, pair.verifying, [algorithm]),
    }
    for name, call in calls.items():
        call()
        before = time.perf_counter()
        for _ in range(BLOCK):
            call()
        each = 1_000_000 * (time.perf_counter() - before) / BLOCK
        bench.readings.add(name, SUBJECT, "µs", each, algorithm=algorithm, claims=claims)


def measure_size(bench: Bench, algorithm: str, pair: Keys) -> None:
    for claims in CLAIMS:
        size = len(jwt.encode(payload(claims), pair.signing, algorithm))
        bench.readings.add(
            "token_bytes", SUBJECT, "bytes", size, algorithm=algorithm, claims=claims
        )
