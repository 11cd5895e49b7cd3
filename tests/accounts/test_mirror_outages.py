"""When Redis cannot be heard, is it asked, soon enough? The connection is really cut.

Nothing here waits for a time to pass but what the mirror itself waits for. The bound needs no
stopwatch: whatever was answered from memory was asked for before the cut plus the bound.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from accounts.announcements import now
from accounts.mirror import TRUST_SECONDS, Copies, InThisProcess, Mirror, Whole
from tests.accounts.mirroring import HANGS, eventually, is_unknown, keep, listeners, listening
from tests.outages import PrivateRedis, Wire, needs_redis_server, simulated_redis

pytestmark = [pytest.mark.once, needs_redis_server]

ROOT = Path(__file__).resolve().parent.parent.parent
NAME = "session:7"
PREFIXES = ("session:", "user:")
BOUND_SECONDS = 2
BOTH_IN_CI = [Copies, pytest.param(Whole, marks=pytest.mark.thorough)]

Cut: TypeAlias = Callable[[PrivateRedis, Wire], Callable[[], None]]


# --- cuts: each returns what ends it ------------------------------------------------------------


def connection_killed(server: PrivateRedis, wire: Wire) -> Callable[[], None]:
    with Redis(unix_socket_path=str(server.socket)) as redis:
        for each in listeners(redis):
            redis.client_kill_filter(_id=each)
    return lambda: None


def packets_lost(server: PrivateRedis, wire: Wire) -> Callable[[], None]:
    wire.passing.clear()
    return wire.passing.set


def server_stopped(server: PrivateRedis, wire: Wire) -> Callable[[], None]:
    server.signal(signal.SIGSTOP)
    return lambda: server.signal(signal.SIGCONT)


def server_paused(server: PrivateRedis, wire: Wire) -> Callable[[], None]:
    server.tell("CLIENT", "PAUSE", 600_000)
    return lambda: restart(server)


def server_killed(server: PrivateRedis, wire: Wire) -> Callable[[], None]:
    server.end()
    return server.start


def restart(server: PrivateRedis) -> None:
    server.end()
    server.start()


CUTS = [connection_killed, packets_lost, server_stopped, server_paused, server_killed]


@pytest.fixture
def wire(server: PrivateRedis) -> Iterator[Wire]:
    between = Wire(server)
    yield between
    between.close()


def client_through(wire: Wire) -> Redis:
    path = wire.listener_path
    return Redis(unix_socket_path=path, socket_timeout=0.5, retry=Retry(NoBackoff(), 0))


def last_belief(mirror: Mirror, name: str) -> float:
    """Ask from memory until Redis has to be asked; when was the last question answered?"""
    state, last = mirror._state, -1.0
    while mirror._state is state and not is_unknown(mirror, name):
        asked = now()
        if mirror.known([name]) is not None:
            last = asked
    return last


def test_the_bound_is_the_one_that_is_promised() -> None:
    assert TRUST_SECONDS <= BOUND_SECONDS


@pytest.mark.parametrize("kind", BOTH_IN_CI)
@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.__name__)
def test_what_is_not_heard_is_not_believed(
    kind: type[Copies | Whole], cut: Cut, server: PrivateRedis, wire: Wire, redis: Redis
) -> None:
    mirror = kind(client_through(wire), PREFIXES, 100)
    redis.set(NAME, "old")
    with listening(mirror):
        keep(mirror, NAME)
        mend = cut(server, wire)
        cut_at = now()  # what is heard until the cut is done is true
        assert last_belief(mirror, NAME) < cut_at + TRUST_SECONDS
        mend()
        eventually(lambda: mirror.is_current)
        redis.set(NAME, "new")
        eventually(lambda: mirror.get([NAME]) == [b"new"])


@pytest.mark.parametrize("kind", BOTH_IN_CI)
def test_what_was_revoked_during_a_cut_is_never_believed_again(
    kind: type[Copies | Whole], wire: Wire, redis: Redis
) -> None:
    mirror = kind(client_through(wire), PREFIXES, 100)
    redis.set(NAME, "old")
    with listening(mirror):
        keep(mirror, NAME)
        wire.passing.clear()
        redis.delete(NAME)
        last_belief(mirror, NAME)
        with pytest.raises(RedisError):
            mirror.get([NAME])
        wire.passing.set()

        def answers() -> bool:
            with suppress(RedisError):
                assert mirror.get([NAME]) == [None]
                return mirror.is_current
            return False

        eventually(answers)
        assert mirror.get([NAME]) == [None]


@pytest.mark.parametrize("kind", [Copies, Whole])
def test_what_was_revoked_while_nobody_listened_is_not_believed(
    kind: type[Copies | Whole], redis: Redis
) -> None:
    mirror = kind(redis, PREFIXES, 100)
    redis.set(NAME, "old")
    with listening(mirror):
        keep(mirror, NAME)
        before = mirror._state.told
        both = redis.pipeline(transaction=True)
        both.execute_command("CLIENT", "KILL", "ID", listeners(redis)[0])
        both.delete(NAME)
        both.execute()
        eventually(lambda: mirror.is_current and mirror._state.told not in (None, before))
        assert mirror.known([NAME]) in (None, [None])
        assert mirror.get([NAME]) == [None]


@pytest.mark.parametrize("kind", BOTH_IN_CI)
def test_announcements_without_end_do_not_keep_it_from_its_heartbeat(
    kind: type[Copies | Whole], server: PrivateRedis, redis: Redis
) -> None:
    mirror = kind(redis, PREFIXES, 100)
    redis.set(NAME, "old")
    over = threading.Event()

    def announce() -> None:
        with Redis(unix_socket_path=str(server.socket)) as client:
            while not over.is_set():
                client.set("session:busy", "x")

    with listening(mirror):
        keep(mirror, NAME)
        state = mirror._state
        busy = [threading.Thread(target=announce) for _ in range(2)]
        for thread in busy:
            thread.start()
        try:
            beyond_what_is_trusted = state.until + TRUST_SECONDS / 2
            eventually(lambda: state.until > beyond_what_is_trusted)
            assert mirror._state is state
        finally:
            over.set()
            for thread in busy:
                thread.join()
        eventually(lambda: mirror.known([NAME]) == [b"old"])


def test_one_that_cannot_keep_up_begins_anew(
    server: PrivateRedis, wire: Wire, redis: Redis
) -> None:
    """Replies come, but not the one that matters."""
    mirror = Copies(client_through(wire), PREFIXES, 100)
    with listening(mirror):
        before = mirror._state
        wire.delay = TRUST_SECONDS + 0.2
        eventually(lambda: mirror._state is not before)
        assert not mirror.is_current
        wire.delay = 0
        eventually(lambda: mirror.is_current)


# --- where Redis cannot announce ----------------------------------------------------------------


@pytest.fixture
def simulated() -> Iterator[Redis]:
    with simulated_redis() as url, Redis.from_url(url) as client:
        yield client


def asks_each_time(mirror: Mirror, client: Redis, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "authdemo.mirror")
    client.mset({"session:1": "x", "session:2": "x"})
    mirror.start()
    eventually(lambda: "Redis is asked each time" in caplog.text)
    for _ in range(3):
        assert mirror.known(["session:1"]) is None
        assert mirror.get(["session:1", "session:3"]) == [b"x", None]
        mirror.forget(["session:1"])
    assert not mirror._state.entries
    assert len(caplog.records) == 1
    mirror.stop()


@pytest.mark.parametrize("kind", [Copies, Whole])
def test_simulated_redis_is_asked_each_time(
    kind: type[Copies | Whole], simulated: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    asks_each_time(kind(simulated, PREFIXES, 100), simulated, caplog)


@pytest.mark.parametrize("kind", [Copies, Whole])
@pytest.mark.parametrize("forbidden", ["-client", "-pttl"])
def test_who_may_not_listen_asks_each_time_and_does_not_try_without_end(
    kind: type[Copies | Whole],
    forbidden: str,
    server: PrivateRedis,
    redis: Redis,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.tell("ACL", "SETUSER", "web", "on", ">x", "~*", "+@all", forbidden)
    client = Redis(unix_socket_path=str(server.socket), username="web", password="x")
    with client:
        asks_each_time(kind(client, PREFIXES, 100), client, caplog)
        # This test's two, one for who listens, and one for what is asked before.
        assert redis.info("stats")["total_connections_received"] <= 10


# --- processes -----------------------------------------------------------------------------------

PROCESS = """
import os, signal, sys, threading, time
from redis import Redis
from accounts.mirror import Copies, InThisProcess
redis = Redis(unix_socket_path=sys.argv[1])
mirrors = InThisProcess(Copies, "session:", most=100)
def listen():
    mirror = mirrors.of(redis)
    while not mirror.is_current:
        time.sleep(0.001)
    while mirror.known(["session:7"]) is None:
        mirror.get(["session:7"])
    return mirror
def say(*words):
    print(*words, flush=True)
mirror = listen()
say("current")
"""


@contextmanager
def process(server: PrivateRedis, script: str) -> Iterator["subprocess.Popen[str]"]:
    """A process of its own that has a mirror with a copy of NAME, and goes on with `script`."""
    with subprocess.Popen(
        [sys.executable, "-c", PROCESS + script, str(server.socket)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            assert says(running) == "current"
            yield running
        finally:
            running.kill()


def says(running: "subprocess.Popen[str]") -> str:
    assert running.stdout is not None
    return running.stdout.readline().strip()


def tell(running: "subprocess.Popen[str]", line: str) -> None:
    assert running.stdin is not None
    running.stdin.write(line + "\n")
    running.stdin.flush()


def test_a_process_that_stood_still_answers_right_when_it_goes_on(
    server: PrivateRedis, redis: Redis
) -> None:
    redis.set(NAME, "old")
    answer = (
        "sys.stdin.readline(); say(mirror.known(['session:7'])); say(mirror.get(['session:7']))"
    )
    with process(server, answer) as running:
        running.send_signal(signal.SIGSTOP)
        stopped_at = now()
        redis.delete(NAME)
        tell(running, "answer")
        eventually(lambda: now() > stopped_at + BOUND_SECONDS)
        running.send_signal(signal.SIGCONT)
        assert says(running) == "None"
        assert says(running) == "[None]"


FORKING = """
import faulthandler
faulthandler.dump_traceback_later(60, exit=True)
def hold(lock):
    held = threading.Event()
    def run():
        with lock:
            held.set()
            time.sleep(60)
    threading.Thread(target=run, daemon=True).start()
    held.wait()
hold(mirrors._lock)
hold(mirror._lock)
child = os.fork()
if child == 0:
    assert mirrors._mirror is None
    mirror = listen()
    say("child", mirror.known(["session:7"]))
    sys.stdin.readline()
    while mirror.get(["session:7"]) != [b"new"]:
        pass
    say("child", mirror.get(["session:7"]))
    os._exit(0)
os.waitpid(child, 0)
say("parent", mirror.known(["session:7"]) is not None)
"""


def test_a_child_makes_its_own_whatever_lock_was_held(server: PrivateRedis, redis: Redis) -> None:
    redis.set(NAME, "old")
    with process(server, FORKING) as running:
        assert says(running) == "child [b'old']"
        assert len(listeners(redis)) == 2
        redis.set(NAME, "new")
        tell(running, "go on")
        assert says(running) == "child [b'new']"


PARENT_GOES_ON = """
child = os.fork()
if child == 0:
    listen()
    os._exit(0)
os.waitpid(child, 0)
say("child has ended")
sys.stdin.readline()
while mirror.known(["session:7"]) is not None:
    pass
say(mirror.get(["session:7"]), mirrors.of(redis) is mirror, mirror.is_current)
"""


def test_the_parent_goes_on_when_its_child_has_ended(server: PrivateRedis, redis: Redis) -> None:
    redis.set(NAME, "old")
    with process(server, PARENT_GOES_ON) as running:
        assert says(running) == "child has ended"
        redis.delete(NAME)
        tell(running, "go on")
        assert says(running) == "[None] True True"


def test_a_child_holds_no_connection_that_nobody_reads(server: PrivateRedis, redis: Redis) -> None:
    """Redis would keep for it all that it announces."""
    redis.set(NAME, "old")
    script = "child = os.fork()\nif child: say(child)\ntime.sleep(60)"
    with process(server, script) as running:
        child = int(says(running))
        try:
            assert len(listeners(redis)) == 1
            running.kill()
            eventually(lambda: not listeners(redis))
        finally:
            os.kill(child, signal.SIGKILL)


def test_another_redis_gets_another_mirror(
    server: PrivateRedis, redis: Redis, simulated: Redis
) -> None:
    mirrors = InThisProcess(Copies, *PREFIXES, most=100)
    mirrors.forget([NAME])
    redis.set(NAME, "here")
    simulated.set(NAME, "there")
    first = mirrors.of(redis)
    keep(first, NAME)
    assert mirrors.of(redis) is first
    assert mirrors.of(Redis(connection_pool=redis.connection_pool)) is first
    second = mirrors.of(simulated)
    assert second.get([NAME]) == [b"there"]
    assert not first.is_current
    eventually(lambda: not listeners(redis))
    second.stop()


def test_many_threads_share_one_mirror(redis: Redis) -> None:
    mirrors = InThisProcess(Copies, *PREFIXES, most=100)
    barrier = threading.Barrier(8)
    got: list[Mirror] = []

    def run() -> None:
        barrier.wait(HANGS)
        got.append(mirrors.of(redis))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(each) for each in got}) == 1
    eventually(lambda: got[0].is_current)
    assert len(listeners(redis)) == 1
    got[0].stop()
