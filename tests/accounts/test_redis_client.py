"""Is a quick read as careful as redis-py's? Every answer belongs to the question it follows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from redis import Redis, Sentinel
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as Late
from redis.sentinel import SentinelConnectionPool

from accounts.auth_redis import auth_redis
from accounts.redis_client import QuickReadRedis
from tests.accounts.mirroring import eventually
from tests.outages import PrivateRedis, needs_redis_server

pytestmark = [pytest.mark.once, needs_redis_server]


@pytest.fixture
def client(server: PrivateRedis) -> Iterator[QuickReadRedis]:
    path = str(server.socket)
    with QuickReadRedis(unix_socket_path=path, protocol=3, socket_timeout=30) as client:
        client.mset({"one": 1, "two": 2})
        yield client


def clients_of(client: QuickReadRedis) -> set[int]:
    """The numbers that Redis gave to the connections that are open."""
    return {int(each["id"]) for each in client.client_list()}


def end_others(client: QuickReadRedis) -> None:
    """Have Redis hang up on every connection but the one that asks for it."""
    client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def test_the_site_reads_by_it() -> None:
    assert isinstance(auth_redis(), QuickReadRedis)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        ((["one", "two"],), [b"1", b"2"]),
        ((("two", "three"),), [b"2", None]),
        (("one", "two"), [b"1", b"2"]),
        (("one",), [b"1"]),
        (([],), []),
    ],
)
def test_it_is_asked_as_redis_py_is(
    client: QuickReadRedis, asked: tuple[str, ...], answer: list[bytes | None]
) -> None:
    assert client.mget(*asked) == answer == super(QuickReadRedis, client).mget(*asked)


def test_one_thread_reads_on_one_connection(client: QuickReadRedis) -> None:
    client.mget(["one"])
    before = clients_of(client)
    for _ in range(10):
        client.mget(["one"])
    assert clients_of(client) == before


def test_a_closed_client_leaves_no_connection_open(
    client: QuickReadRedis, server: PrivateRedis
) -> None:
    with QuickReadRedis(unix_socket_path=str(server.socket), protocol=3) as another:
        before = clients_of(client)
        another.mget(["one"])
        assert clients_of(client) > before
    eventually(lambda: clients_of(client) <= before)


def test_threads_that_read_at_once_do_not_share(client: QuickReadRedis) -> None:
    names = [f"thread:{number}" for number in range(8)]
    client.mset({name: name for name in names})
    together = Barrier(len(names))

    def read(name: str) -> None:
        together.wait()
        for _ in range(500):
            assert client.mget([name, "one"]) == [name.encode(), b"1"]

    with ThreadPoolExecutor(len(names)) as threads:
        list(threads.map(read, names))


def test_an_answer_that_nobody_took_is_nobodys(client: QuickReadRedis) -> None:
    client.mget(["one"])
    client._idle[0].send_command("MGET", "one", "one")
    client._idle[0].can_read(timeout=30)
    assert client.mget(["two"]) == [b"2"]


def test_an_answer_that_came_too_late_is_nobodys(
    client: QuickReadRedis, server: PrivateRedis
) -> None:
    client.mget(["one"])
    client._idle[0]._sock.settimeout(0.05)
    server.tell("CLIENT", "PAUSE", "2000")
    with pytest.raises(Late):
        client.mget(["one"])
    assert client.mget(["two"]) == [b"2"]


def test_an_answer_that_its_reader_was_torn_from_is_nobodys(
    client: QuickReadRedis, server: PrivateRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by a worker's time limit, which raises wherever the thread is."""

    def torn(*args: object, **options: object) -> None:
        raise SystemExit

    client.mget(["one"])
    server.tell("CLIENT", "PAUSE", "300")  # it comes after the next question
    with monkeypatch.context() as patched:
        patched.setattr(client._idle[0], "read_response", torn)
        with pytest.raises(SystemExit):
            client.mget(["one"])
    assert client.mget(["two"]) == [b"2"]


def test_a_connection_that_redis_closed_is_made_anew(client: QuickReadRedis) -> None:
    client.mget(["one"])
    end_others(client)
    assert client.mget(["two"]) == [b"2"]


def test_an_error_is_told_and_the_next_read_is_answered(client: QuickReadRedis) -> None:
    client.execute_command("ACL", "SETUSER", "default", "-mget")
    with pytest.raises(ResponseError, match="mget"):
        client.mget(["one"])
    client.execute_command("ACL", "SETUSER", "default", "+mget")
    assert client.mget(["one"]) == [b"1"]


def test_a_forked_child_reads_on_a_connection_of_its_own(client: QuickReadRedis) -> None:
    """Else it and its parent take each other's answers; a server that preloads forks like that."""
    client.mget(["one"])
    before = client._idle[0]
    child = os.fork()
    if not child:
        is_right = False
        try:
            is_right = client.mget(["two"]) == [b"2"] and client._idle[-1] is not before
        finally:  # whatever comes, it runs no other test
            os._exit(0 if is_right else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert client.mget(["one"]) == [b"1"]
    assert client._idle[-1] is before, "the child left it alone"


def test_behind_a_sentinel_the_pool_is_asked_which_connection_is_good(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Threat: what is read of a master that was replaced is what was true before."""
    asked = []
    monkeypatch.setattr(Redis, "mget", lambda client, keys, *args: asked.append(keys))
    pool = SentinelConnectionPool("auth", Sentinel([("127.0.0.1", 1)]))
    QuickReadRedis(connection_pool=pool).mget(["one"])
    assert asked == [["one"]]
