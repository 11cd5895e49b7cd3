"""What does one request cost? SQL statements, Redis commands and bytes, counted where they arrive.

SQL by the worker that runs it, Redis commands by Redis, bytes by the socket. Nothing else runs
meanwhile, and a few requests come before, so that no connection is made among them.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import partial

import redis

from lab.benchmark.run.plan import Bench, Step
from lab.benchmark.run.processes import BenchmarkError
from lab.benchmark.run.subjects import Subject
from lab.benchmark.run.workers import Worker

REQUESTS = 10
# What a connection says of itself, and what counting takes.
NOT_OURS = {"hello", "auth", "select", "client", "ping", "info", "config", "command"}


def steps(bench: Bench) -> list[Step]:
    return [
        Step(f"{subject.key}, counted", 0.3, partial(measure, bench, subject))
        for subject in bench.subjects
    ]


def measure(bench: Bench, subject: Subject) -> None:
    server = bench.server(subject)
    headers = bench.logins[subject.key].headers
    statements, commands = counted(bench.redis_url, server.each_worker[0], subject.whoami, headers)
    sent, received = bytes_of(server.address, subject.whoami, headers)
    add = bench.readings.add
    add("sql_statements", subject.key, "", statements)
    add("redis_commands", subject.key, "", commands)
    add("bytes_sent", subject.key, "bytes", sent)
    add("bytes_received", subject.key, "bytes", received)


def counted(
    redis_url: str, worker: Worker, path: str, headers: Mapping[str, str]
) -> tuple[float, float]:
    """SQL statements and Redis commands of one request, the mean of `REQUESTS`."""
    ask(worker, path, headers)
    with redis.Redis.from_url(redis_url) as client:
        worker.tell("count=1")
        before = commands_so_far(client)
        ask(worker, path, headers)
        commands = commands_so_far(client) - before
        statements = worker.tell("count=0")["sql_statements"]
    return statements / REQUESTS, commands / REQUESTS


def ask(worker: Worker, path: str, headers: Mapping[str, str]) -> None:
    for _ in range(REQUESTS):
        status, body = worker.get(path, headers)
        if status != 200:
            raise BenchmarkError(f"{path} answered {status}: {body[:200]!r}")


def commands_so_far(client: redis.Redis) -> int:
    """What Redis itself has counted; a command that has parts is counted by each."""
    stats = client.info("commandstats")
    return sum(
        stat["calls"]
        for name, stat in stats.items()
        if name.removeprefix("cmdstat_").partition("|")[0] not in NOT_OURS
    )


def bytes_of(address: str, path: str, headers: Mapping[str, str]) -> tuple[int, int]:
    """The bytes of one request and of its answer, as HTTP/1.1 puts them on the wire."""
    host, port = address.split(":")
    lines = [f"GET {path} HTTP/1.1", f"Host: {address}", *(f"{k}: {v}" for k, v in headers.items())]
    request = "\r\n".join([*lines, "", ""]).encode()
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while not is_whole(answer):
            answer += connection.recv(65536)
    return len(request), len(answer)


def is_whole(answer: bytes) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    lengths = [
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    return bool(separator) and len(body) >= lengths[0]
