"""Is this Redis a real one, which version, how fast does it answer? The server itself says so."""

import time
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry

Kind = Literal["real", "simulated", "none"]


@dataclass(frozen=True)
class RedisFacts:
    kind: Kind
    where: str
    version: str = ""
    latency_ms: float = 0.0
    clock_offset_seconds: float = 0.0
    program: str = ""
    eviction: str = "noeviction"
    problem: str = ""

    def __str__(self) -> str:
        if self.kind == "none":
            return f"no answer at {self.where}: {self.problem}"
        label = "simulated" if self.kind == "simulated" else f"real, version {self.version}"
        return f"{label}, at {self.where}, answers in {self.latency_ms:.1f} ms"


def kind(url: str) -> Kind:
    """Return "real", "simulated" or "none" (nobody answers)."""
    return describe(url).kind


def describe(url: str, *, timeout_seconds: float = 1.0) -> RedisFacts:
    """Ask the Redis at `url` who it is; never raises because a server is away or refuses.

    fakeredis does not know INFO, which every real server has; one that
    forbids it to us (NOPERM) is real, of a version that we cannot see.
    """
    where = without_password(url)
    try:
        with redis.Redis.from_url(
            url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 0),
        ) as client:
            return _ask(client, where)
    except (redis.RedisError, OSError, ValueError) as error:
        return RedisFacts("none", where, problem=str(error).rstrip("."))


def without_password(url: str) -> str:
    """Return the address in a form that may be shown."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def _ask(client: "redis.Redis", where: str) -> RedisFacts:
    client.ping()
    before = time.time()
    seconds, microseconds = client.time()
    after = time.time()
    facts = RedisFacts(
        "real",
        where,
        "unknown",
        latency_ms=(after - before) * 1000,
        clock_offset_seconds=seconds + microseconds / 1_000_000 - (before + after) / 2,
    )
    try:
        info = client.info()
    except NoPermissionError:
        return facts
    except redis.ResponseError:
        return replace(facts, kind="simulated", version="fakeredis")
    version = info.get("valkey_version") or info.get("redis_version", "unknown")
    return replace(
        facts,
        version=str(version),
        program=info.get("executable", ""),
        eviction=info["maxmemory_policy"] if info.get("maxmemory") else "noeviction",
    )
