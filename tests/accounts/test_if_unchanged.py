"""Is a change made only where nobody was first? By whoever serves as Redis here, and a fake one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from accounts.if_unchanged import execute_if_unchanged
from lab.benchmark.costs import commands_sent
from tests.accounts.racing import at_once, trials
from tests.outages import PrivateRedis, needs_redis_server, simulated_redis

pytestmark = pytest.mark.once


@pytest.fixture(params=["real", "simulated"])
def client(request: pytest.FixtureRequest) -> Iterator[Redis]:
    if request.param == "simulated":
        with simulated_redis() as url, Redis.from_url(url) as client:
            yield client
        return
    server = request.getfixturevalue("server")
    with Redis(unix_socket_path=str(server.socket)) as client:
        yield client


def put(client: Redis, read: dict[str, bytes | None], **values: str) -> tuple[bool, list[Any]]:
    pipe = client.pipeline()
    for name, value in values.items():
        pipe.set(name, value)
    return execute_if_unchanged(client, pipe, read)


@needs_redis_server
@pytest.mark.parametrize("there", [b"as it was read", None])
def test_what_is_as_it_was_read_is_changed(client: Redis, there: bytes | None) -> None:
    if there is not None:
        client.set("one", there)
    assert put(client, {"one": there}, one="new", two="other") == (True, [b"OK", b"OK"])
    assert client.mget("one", "two") == [b"new", b"other"]


@needs_redis_server
@pytest.mark.parametrize(
    ("read", "there"),
    [
        (b"as it was read", b"another's"),
        (b"as it was read", b"as it was rea"),
        (b"as it was read", None),
        (None, b"another's"),
        (b"\xff\x00\r\n", b"\xff\x00\r"),
    ],
)
def test_what_somebody_changed_meanwhile_is_left_and_told(
    client: Redis, read: bytes | None, there: bytes | None
) -> None:
    client.set("other", "of no interest")
    if there is not None:
        client.set("one", there)
    expected = {"absent": None, "one": read}
    assert put(client, expected, one="new", two="other") == (False, [None, there])
    assert client.mget("one", "two") == [there, None]


@needs_redis_server
def test_each_command_answers_as_it_would_alone(client: Redis) -> None:
    client.zadd("index", {"a": 1, "b": 2})
    pipe = client.pipeline()
    pipe.set("one", b"\xff\x00\r\n", nx=True, ex=60)
    pipe.set("one", "twice", nx=True)
    pipe.zadd("index", {"b": 3, "c": 4.5})
    pipe.zrange("index", 0, -1)
    pipe.delete("nothing", "neither")
    pipe.get("one")
    answers = [b"OK", None, 1, [b"a", b"b", b"c"], 0, b"\xff\x00\r\n"]
    assert execute_if_unchanged(client, pipe, {"one": None}) == (True, answers)
    assert 0 < client.ttl("one") <= 60
    assert client.zscore("index", "c") == 4.5


@needs_redis_server
def test_a_command_that_fails_is_an_error(server: PrivateRedis) -> None:
    with Redis(unix_socket_path=str(server.socket)) as client:
        client.set("one", "no list")
        pipe = client.pipeline()
        pipe.rpush("one", "x")
        with pytest.raises(RedisError):
            execute_if_unchanged(client, pipe, {"one": b"no list"})
        assert client.get("one") == b"no list"


@needs_redis_server
def test_it_is_one_command_of_whoever_sends_it(server: PrivateRedis) -> None:
    with Redis(unix_socket_path=str(server.socket)) as client:
        put(client, {"one": None}, one="1", two="2")
        with commands_sent(client) as sent:
            put(client, {"one": b"1", "two": b"2"}, one="3", two="4")
    assert sent == {"eval": 1}


@needs_redis_server
def test_of_those_who_read_the_same_one_writes(server: PrivateRedis) -> None:
    def write(client: Redis, name: str, before: Barrier, number: int) -> bool:
        before.wait(timeout=30)
        return put(client, {name: None}, **{name: str(number)})[0]

    with Redis(unix_socket_path=str(server.socket)) as client:
        for trial in range(trials(50)):
            name, before = f"trial-{trial}", Barrier(8)
            done = at_once([partial(write, client, name, before, n) for n in range(8)])
            assert sum(done) == 1
            assert client.get(name) == str(done.index(True)).encode()
