"""Does a mirror follow a failover? A real Sentinel, a master and a replica."""

import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError
from redis.sentinel import Sentinel

from accounts.announcements import Announcements, Moved, now
from accounts.mirror import Copies, Mirror, Whole
from authdemo.embedded_redis import find_binary
from tests.accounts.mirroring import eventually, keep, listening
from tests.outages import needs_redis_server

pytestmark = [pytest.mark.once, pytest.mark.slow, pytest.mark.thorough, needs_redis_server]

NAME = "session:7"
SENTINEL = """
port {port}
sentinel monitor mymaster 127.0.0.1 {master} 1
sentinel down-after-milliseconds mymaster 500
sentinel failover-timeout mymaster 3000
"""


def free_ports(count: int) -> list[int]:
    """All of them held until the last is found: none twice."""
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in taken:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in taken]


class Trio:
    """A master, its replica, and a Sentinel that watches them."""

    def __init__(self, folder: Path) -> None:
        binary = find_binary()
        assert binary is not None
        self.binary, self.folder = str(binary.path), folder
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.master, self.replica, self.sentinel = free_ports(3)

    def start(self) -> None:
        self.run(self.master, "--port", str(self.master), "--save", "")
        leader = ["--replicaof", "127.0.0.1", str(self.master)]
        self.run(self.replica, "--port", str(self.replica), "--save", "", *leader)
        eventually(lambda: self.info(self.replica)["master_link_status"] == "up")
        config = self.folder / "sentinel.conf"
        config.write_text(SENTINEL.format(port=self.sentinel, master=self.master))
        self.run(self.sentinel, str(config), "--sentinel")
        eventually(lambda: self.state().get("num-slaves") == 1)

    def run(self, port: int, *arguments: str) -> None:
        self.processes[port] = subprocess.Popen(
            [self.binary, *arguments], cwd=self.folder, stdout=subprocess.DEVNULL
        )

        def answers() -> bool:
            with suppress(RedisError), Redis(port=port) as client:
                return bool(client.ping())
            return False

        eventually(answers)

    def info(self, port: int) -> dict[str, str]:
        with Redis(port=port) as client:
            return dict(client.info("replication"))

    def state(self) -> dict[str, int]:
        with Redis(port=self.sentinel) as client:
            return dict(client.sentinel_master("mymaster"))

    def client(self) -> Redis:
        options = {"socket_timeout": 1}
        manager = Sentinel([("127.0.0.1", self.sentinel)], sentinel_kwargs=options, **options)
        client: Redis = manager.master_for("mymaster")
        return client

    def end(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


@pytest.fixture
def trio(tmp_path: Path) -> Iterator[Trio]:
    trio = Trio(tmp_path)
    try:
        trio.start()
        yield trio
    finally:
        trio.end()


def killed(trio: Trio) -> None:
    trio.processes[trio.master].kill()


def stopped(trio: Trio) -> None:
    trio.processes[trio.master].send_signal(signal.SIGSTOP)


def asked_for(trio: Trio) -> None:
    """As an administrator does it. The old master is one for some seconds more, and answers."""

    def begins() -> bool:
        with suppress(RedisError), Redis(port=trio.sentinel) as client:
            return bool(client.sentinel_failover("mymaster"))
        return False  # the Sentinel has not seen enough of the replica

    eventually(begins)


@pytest.mark.parametrize("kind", [Copies, Whole])
@pytest.mark.parametrize("fail", [killed, stopped, asked_for], ids=lambda fail: fail.__name__)
def test_a_failover_is_followed(
    kind: type[Mirror], fail: Callable[[Trio], None], trio: Trio
) -> None:
    client = trio.client()
    mirror = kind(client, ("session:",), 100)
    client.set(NAME, "old")
    client.wait(1, 5000)
    with listening(mirror):
        keep(mirror, NAME)
        before = mirror._state
        fail(trio)
        eventually(lambda: trio.state()["port"] == trio.replica)
        with Redis(port=trio.replica) as promoted:
            eventually(lambda: promoted.info("replication")["role"] == "master")
            promoted.set(NAME, "new")
            eventually(lambda: mirror.is_current and mirror._state is not before)
            eventually(lambda: answer(mirror) == b"new")
            keep(mirror, NAME)
            promoted.delete(NAME)
            eventually(lambda: mirror.known([NAME]) in (None, [None]))
            assert answer(mirror) is None


def answer(mirror: Mirror) -> bytes | RedisError | None:
    try:
        return mirror.get([NAME])[0]
    except RedisError as error:
        return error


def test_who_listens_leaves_an_old_master_that_still_answers(trio: Trio) -> None:
    """A request has learnt from the Sentinel who leads; the old master is up, and unaware."""
    client = trio.client()
    told = Announcements(client, ("session:",))
    told.ask()
    told.hear(lambda names: None, now() + 1)
    trio.processes[trio.sentinel].kill()
    pool: Any = client.connection_pool
    pool.proxy.master_address = ("127.0.0.1", trio.replica)
    with pytest.raises(Moved):
        told.ask()
    told.close()
