"""What does one request cost? SQL statements, Redis commands and bytes, counted where they arrive.

SQL by the worker that runs it, Redis commands by Redis, bytes by the socket. Nothing else runs
meanwhile, and a few requests come before, so that no connection is made among them.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

import redis

from lab.benchmark.costs import commands_sent
from lab.benchmark.run.logins import Login, NotOffered
from lab.benchmark.run.plan import Bench, Step
from lab.benchmark.run.subjects import Subject
from lab.benchmark.run.workers import Worker
from lab.staging.processes import StageError

REQUESTS = 10


def steps(bench: Bench) -> list[Step]:
    return [
        Step(f"{subject.key}, counted", 0.35, partial(measure, bench, subject))
        for subject in bench.subjects
    ]


def measure(bench: Bench, subject: Subject) -> None:
    server = bench.server(subject)
    headers = bench.login(subject).headers
    cost = counted(bench.redis_url, server.each_worker[0], subject.whoami, headers)
    record(bench, subject, cost)
    sent, received = bytes_of(server.address, subject.whoami, headers)
    bench.readings.add("bytes_sent", subject.key, "bytes", sent)
    bench.readings.add("bytes_received", subject.key, "bytes", received)
    if subject.has_login:
        held = bench.login(subject).held()
        bench.readings.add("credential_bytes_client", subject.key, "bytes", held)
        measure_calls(bench, subject)


def measure_calls(bench: Bench, subject: Subject) -> None:
    """Login, and refresh with whatever rotation is its default where the rest is measured."""
    login = subject.login(bench.server(subject).url)
    login.prepare()
    record(bench, subject, counted_call(bench.redis_url, login, login.log_in), call="login")
    login.prepare()
    with suppress(NotOffered):
        record(bench, subject, counted_call(bench.redis_url, login, login.renew), call="refresh")
    login.leave()


def record(bench: Bench, subject: Subject, cost: tuple[float, float], **call: str) -> None:
    statements, commands = cost
    bench.readings.add("sql_statements", subject.key, "", statements, **call)
    bench.readings.add("redis_commands", subject.key, "", commands, **call)


def counted_call(redis_url: str, login: Login, call: Callable[[], None]) -> tuple[int, int]:
    """SQL statements and Redis commands of one call of this client."""
    with (
        redis.Redis.from_url(redis_url) as client,
        login.counting() as spent,
        commands_sent(client) as sent,
    ):
        call()
    return spent["sql_statements"], sent.total()


def counted(
    redis_url: str, worker: Worker, path: str, headers: Mapping[str, str]
) -> tuple[float, float]:
    """SQL statements and Redis commands of one request, the mean of `REQUESTS`."""
    ask(worker, path, headers)
    with redis.Redis.from_url(redis_url) as client:
        worker.tell("count=1")
        with commands_sent(client) as sent:
            ask(worker, path, headers)
        statements = worker.tell("count=0")["sql_statements"]
    return statements / REQUESTS, sent.total() / REQUESTS


def ask(worker: Worker, path: str, headers: Mapping[str, str]) -> None:
    for _ in range(REQUESTS):
        status, body = worker.get(path, headers)
        if status != 200:
            raise StageError(f"{path} answered {status}: {body[:200]!r}")


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
