"""Does a mirror say what Redis says, without asking, and hear of every change?"""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from redis import ConnectionPool, Redis
from redis._parsers import _HiredisParser, _RESP3Parser
from redis.connection import UnixDomainSocketConnection
from redis.exceptions import RedisError
from redis.utils import HIREDIS_AVAILABLE

from accounts import announcements
from accounts.announcements import Announcements, now
from accounts.mirror import TRUST_SECONDS, UNSUPPORTED_SECONDS, Copies, Mirror, Whole
from tests.accounts.mirroring import (
    HANGS,
    LateClient,
    eventually,
    is_unknown,
    keep,
    listeners,
    listening,
)
from tests.outages import PrivateRedis, evict, evicting, needs_redis_server

pytestmark = [pytest.mark.once, needs_redis_server]

NAME = "session:7"
PREFIXES = ("session:", "user:")


def delete_in_a_transaction(redis: Redis) -> None:
    pipe = redis.pipeline()
    pipe.delete(NAME)
    pipe.ping()
    pipe.execute()


CHANGES: dict[str, Callable[[Redis], object]] = {
    "deleted": lambda redis: redis.delete(NAME),
    "unlinked": lambda redis: redis.unlink(NAME),
    "written": lambda redis: redis.set(NAME, "new"),
    "made to expire": lambda redis: redis.expire(NAME, 100),
    "expired": lambda redis: redis.pexpire(NAME, 20),
    "made to stay": lambda redis: redis.persist(NAME),
    "renamed": lambda redis: redis.rename(NAME, "elsewhere"),
    "overwritten by a rename": lambda redis: redis.set("other", 1) and redis.rename("other", NAME),
    "moved": lambda redis: redis.move(NAME, 1),
    "deleted by a script": lambda redis: redis.eval("redis.call('DEL', KEYS[1])", 1, NAME),
    "deleted in a transaction": delete_in_a_transaction,
    "deleted with all others": lambda redis: redis.flushdb(),
    "deleted with all databases": lambda redis: redis.flushall(asynchronous=True),
}


# --- every mirror ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Copies, Whole])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_by_anybody_is_heard(
    kind: type[Copies | Whole], change: Callable[[Redis], object], redis: Redis
) -> None:
    mirror = kind(redis, PREFIXES, 100)
    redis.set(NAME, "old", ex=1000)
    with listening(mirror):
        keep(mirror, NAME)
        assert mirror.known([NAME]) == [b"old"]
        state = mirror._state
        copy = state.entries[NAME]
        change(redis)
        eventually(lambda: state is not mirror._state or state.entries.get(NAME) is not copy)
        eventually(lambda: mirror.get([NAME]) == redis.mget([NAME]))
        assert mirror.known([NAME]) in (None, redis.mget([NAME]))


@pytest.mark.parametrize("kind", [Copies, Whole])
def test_what_was_evicted_is_heard(
    kind: type[Copies | Whole], server: PrivateRedis, redis: Redis
) -> None:
    mirror = kind(redis, PREFIXES, 100)
    redis.set(NAME, "old")
    with listening(mirror):
        keep(mirror, NAME)
        with evicting(server):
            while redis.exists(NAME):
                evict(server)
            eventually(lambda: mirror.known([NAME]) in (None, [None]))
            eventually(lambda: mirror.get([NAME]) == [None])


@pytest.mark.parametrize("kind", [Copies, Whole])
def test_what_has_expired_is_gone_before_redis_notices(
    kind: type[Copies | Whole], server: PrivateRedis, redis: Redis
) -> None:
    mirror = kind(redis, PREFIXES, 100)
    with listening(mirror):
        redis.set(NAME, "old", px=3_000)
        keep(mirror, NAME)
        # While writes are paused, Redis lets nothing expire, and announces nothing.
        server.tell("CLIENT", "PAUSE", 600_000, "WRITE")
        heard = mirror._state
        eventually(lambda: is_unknown(mirror, NAME))
        assert NAME in heard.entries


@pytest.mark.parametrize("kind", [Copies, Whole])
def test_names_that_are_no_text_do_no_harm(kind: type[Copies | Whole], redis: Redis) -> None:
    mirror = kind(redis, PREFIXES, 100)
    redis.set(b"session:\xff", "before")
    redis.set(NAME, "old")
    with listening(mirror):
        keep(mirror, NAME)
        redis.set(b"session:\xff", "after")
        redis.set(NAME, "new")
        eventually(lambda: mirror.get([NAME]) == [b"new"])


def test_a_client_that_decodes_gets_text_and_hears_of_changes(server: PrivateRedis) -> None:
    client = Redis(unix_socket_path=str(server.socket), decode_responses=True)
    mirror = Copies(client, PREFIXES, 100)
    client.set(NAME, "old")
    with listening(mirror):
        keep(mirror, NAME)
        assert mirror.known([NAME]) == ["old"]
        client.delete(NAME)
        eventually(lambda: is_unknown(mirror, NAME))


@pytest.mark.parametrize("kind", [Copies, Whole])
@pytest.mark.parametrize("parser", [_RESP3Parser, _HiredisParser])
def test_changes_are_heard_by_either_parser(
    kind: type[Copies | Whole], parser: type, server: PrivateRedis
) -> None:
    if parser is _HiredisParser and not HIREDIS_AVAILABLE:
        pytest.skip("no hiredis here")
    path = str(server.socket)
    pool: Any = ConnectionPool(UnixDomainSocketConnection, path=path, parser_class=parser)
    client = Redis(connection_pool=pool)
    mirror = kind(client, PREFIXES, 2000)
    many = [f"session:{number}:{'long' * 20}" for number in range(1000)]

    def answers(mirror: Mirror, names: list[str], values: list[bytes]) -> bool:
        return mirror.get(names) == values

    with listening(mirror):
        for value in (b"1", b"2"):
            client.mset(dict.fromkeys(many, value))
            eventually(partial(answers, mirror, many, [value] * len(many)))
        assert isinstance(mirror._state.told._connection._parser, parser)  # type: ignore[union-attr]


def test_each_name_is_answered_in_its_place(redis: Redis) -> None:
    mirror = Copies(redis, PREFIXES, 100)
    redis.mset({"session:1": "a", "session:2": "b"})
    names = ["session:2", "session:1", "session:2"]
    with listening(mirror):
        keep(mirror, *names)
        assert mirror.known(names) == [b"b", b"a", b"b"]
        assert mirror.get([*names, "session:3"]) == [b"b", b"a", b"b", None]


def test_what_came_but_was_not_read_yet_sends_the_check_to_redis(redis: Redis) -> None:
    """The interpreter's lock is elsewhere: nobody reads while we stand between the two."""
    told = Announcements(redis, PREFIXES)
    assert not told.are_unheard()
    redis.set(NAME, "new")
    eventually(told.are_unheard)
    told.hear(lambda names: None, now() + 1)
    assert not told.are_unheard()
    told.close()
    assert told.are_unheard()


def test_a_check_is_refused_while_an_announcement_is_taken_in(redis: Redis) -> None:
    told = Announcements(redis, PREFIXES)
    redis.set(NAME, "new")
    assert told.wait(now() + 20)
    seen: list[bool] = []
    told.hear(lambda names: seen.append(told.are_unheard()), now() + 1)
    assert seen == [True]
    told.close()


def test_it_listens_no_longer_than_it_was_told_to_however_much_is_announced(redis: Redis) -> None:
    """Its heartbeat would come too late."""
    told = Announcements(redis, PREFIXES)
    until = now() + 0.1

    def announce_one_more(names: list[str]) -> None:
        assert now() < until + HANGS / 3
        redis.set(NAME, "new")

    redis.set(NAME, "new")
    told.hear(announce_one_more, until)
    assert told.are_unheard()
    told.close()


def once_before(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Have something happen right before this thread looks whether there is something to read."""
    real, asking, is_due = announcements._is_readable, threading.current_thread(), [True]

    def look(connected: Any, seconds: float) -> bool:
        if threading.current_thread() is asking and is_due and is_due.pop():
            happens()
        return real(connected, seconds)

    monkeypatch.setattr(announcements, "_is_readable", look)


def test_what_another_thread_takes_in_just_now_is_not_heard_yet(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Announcements(redis, PREFIXES)
    is_taken, is_done = threading.Event(), threading.Event()

    def take_in(names: list[str]) -> None:
        is_taken.set()
        is_done.wait(HANGS)

    def begin() -> None:
        redis.set(NAME, "new")
        listener.start()
        assert is_taken.wait(HANGS)

    def listen() -> None:
        told.wait(now() + HANGS)
        told.hear(take_in, now())

    listener = threading.Thread(target=listen)
    once_before(monkeypatch, begin)
    assert told.are_unheard()
    is_done.set()
    listener.join()
    told.close()


def test_what_is_heard_in_the_midst_of_a_check_counts(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = Copies(redis, PREFIXES, 100)
    redis.set(NAME, "old")
    with listening(mirror):
        keep(mirror, NAME)
        told, entries = mirror._state.told, mirror._state.entries
        assert told is not None

        def revoke() -> None:
            redis.delete(NAME)
            eventually(lambda: NAME not in entries and not told._is_reading)

        once_before(monkeypatch, revoke)
        assert mirror.known([NAME]) is None


def test_a_connection_never_connects_anew_by_itself(server: PrivateRedis) -> None:
    """Redis would answer PING on the new connection, and announce nothing."""
    client = Redis(unix_socket_path=str(server.socket), health_check_interval=1)
    told = Announcements(client, PREFIXES)
    time.sleep(1.1)  # its check is due
    server.tell("CLIENT", "KILL", "ID", listeners(client)[0])

    def listen() -> None:
        while told.heard_until < 0:
            told.ask()
            told.hear(lambda names: None, now() + 1)

    with pytest.raises((RedisError, OSError)):
        listen()
    told.close()


def test_the_clock_goes_on_while_the_machine_sleeps() -> None:
    if not hasattr(time, "CLOCK_BOOTTIME"):
        pytest.skip("no clock that does")
    assert time.clock_gettime(time.CLOCK_BOOTTIME) <= now()
    assert now() <= time.clock_gettime(time.CLOCK_BOOTTIME)


# --- copies of what was asked for -------------------------------------------------------------


def test_an_answer_whose_key_was_announced_meanwhile_is_not_kept(
    late: LateClient, redis: Redis
) -> None:
    mirror = Copies(late, PREFIXES, 100)
    redis.set(NAME, "old")
    redis.set("session:marker", "old")
    with listening(mirror), ThreadPoolExecutor() as pool:
        late.hold()
        asking = pool.submit(mirror.get, [NAME])
        late.wait_for_answer()
        redis.delete(NAME)
        eventually(lambda: NAME not in mirror._state.entries)
        late.hand_on.set()
        assert asking.result(20) == [b"old"], "true when it was asked"
        assert mirror.known([NAME]) is None
        assert mirror.get([NAME]) == [None]


def test_an_answer_is_not_kept_for_another_connection(late: LateClient, redis: Redis) -> None:
    mirror = Copies(late, PREFIXES, 100)
    redis.set(NAME, "old")
    with listening(mirror), ThreadPoolExecutor() as pool:
        late.hold()
        asking = pool.submit(mirror.get, [NAME])
        late.wait_for_answer()
        before = mirror._state
        redis.client_kill_filter(_id=listeners(redis)[0])
        redis.delete(NAME)
        late.hand_on.set()
        asking.result(20)
        eventually(lambda: mirror.is_current and mirror._state is not before)
        assert mirror.known([NAME]) is None


def test_what_this_process_has_changed_is_forgotten_at_once(late: LateClient, redis: Redis) -> None:
    mirror = Copies(late, PREFIXES, 100)
    redis.set(NAME, "old")
    with listening(mirror), ThreadPoolExecutor() as pool:
        keep(mirror, NAME)
        mirror.forget([NAME, "session:unknown"])
        assert mirror.known([NAME]) is None
        late.hold()
        asking = pool.submit(mirror.get, [NAME])
        late.wait_for_answer()
        mirror.forget([NAME])
        late.hand_on.set()
        asking.result(20)
        assert mirror.known([NAME]) is None, "nor is an answer kept that was under way"


def test_those_who_ask_at_once_share_a_claim(late: LateClient, redis: Redis) -> None:
    mirror = Copies(late, PREFIXES, 100)
    redis.set(NAME, "old")
    with listening(mirror), ThreadPoolExecutor() as pool:
        late.hold()
        first = pool.submit(mirror.get, [NAME])
        late.wait_for_answer()
        claim = mirror._state.entries[NAME]
        late.has_answered.clear()
        second = pool.submit(mirror.get, [NAME])
        late.wait_for_answer()
        assert mirror._state.entries[NAME] is claim
        late.hand_on.set()
        assert first.result(20) == second.result(20) == [b"old"]
        assert mirror.known([NAME]) == [b"old"]


def test_memory_is_bounded_and_the_least_recently_used_goes_first(redis: Redis) -> None:
    mirror = Copies(redis, PREFIXES, 3)
    names = [f"session:{number}" for number in range(4)]
    redis.mset(dict.fromkeys(names, "x"))
    with listening(mirror):
        for name in names[:3]:
            keep(mirror, name)
        keep(mirror, names[0])  # used again
        keep(mirror, names[3])
        assert list(mirror._state.entries) == [names[2], names[0], names[3]]


def test_names_that_somebody_makes_up_take_no_memory(redis: Redis) -> None:
    mirror = Copies(redis, PREFIXES, 3)
    redis.set(NAME, "x")
    with listening(mirror):
        keep(mirror, NAME)
        for number in range(100):
            assert mirror.get([f"session:{number}:made-up"]) == [None]
        assert list(mirror._state.entries) == [NAME]


def test_an_answer_that_fails_leaves_no_claim(server: PrivateRedis, redis: Redis) -> None:
    client = Redis(unix_socket_path=str(server.socket), username="web", password="x")
    server.tell("ACL", "SETUSER", "web", "on", ">x", "~*", "+@all")
    mirror = Copies(client, PREFIXES, 3)
    with listening(mirror):
        server.tell("ACL", "SETUSER", "web", "-mget")
        with pytest.raises(RedisError):
            mirror.get([NAME])
        assert not mirror._state.entries


# --- a mirror of all there is -------------------------------------------------------------------


def first_known(mirror: Whole, names: list[str]) -> list[bytes | None]:
    found: list[bytes | None] = eventually(lambda: mirror.known(names))
    return found


def test_it_knows_what_does_not_exist_without_asking(redis: Redis) -> None:
    mirror = Whole(redis, ("denied:",), 5000)
    redis.mset({f"denied:{number}": "x" for number in range(2500)})
    redis.set("other", "x")
    with listening(mirror):
        commands = redis.info("stats")["total_commands_processed"]
        assert first_known(mirror, ["denied:2499", "denied:2500"]) == [b"x", None]
        heartbeats = redis.info("stats")["total_commands_processed"] - commands - 1
        assert heartbeats <= 1
        assert len(mirror._state.entries) == 2500


def test_what_is_denied_while_it_loads_is_known_when_it_is_current(
    late: LateClient, redis: Redis
) -> None:
    mirror = Whole(late, ("denied:",), 100)
    redis.mset({"denied:old": "x", "denied:gone": "x"})
    late.hold()
    mirror.start()
    late.wait_for_answer()  # what it loads is on its way
    redis.set("denied:new", "x")
    redis.delete("denied:gone")
    redis.set("denied:old", "y")
    assert not mirror.is_current
    late.hand_on.set()
    found = first_known(mirror, ["denied:new", "denied:gone", "denied:old"])
    assert found == [b"x", None, b"y"]
    mirror.stop()


def test_what_changes_again_while_it_is_copied_is_copied_again(
    late: LateClient, redis: Redis
) -> None:
    mirror = Whole(late, ("denied:",), 100)
    with listening(mirror):
        late.hold()
        redis.set("denied:7", "first")
        late.wait_for_answer()
        redis.set("denied:7", "second")
        redis.set("denied:8", "x")
        late.hand_on.set()
        eventually(lambda: mirror.get(["denied:7"]) == [b"second"])
        assert first_known(mirror, ["denied:7", "denied:8"]) == [b"second", b"x"]


def test_what_was_announced_is_asked_for_until_it_is_copied(late: LateClient, redis: Redis) -> None:
    """Taken out of the copies it would not exist: a token denied twice would be let in."""
    mirror = Whole(late, ("denied:",), 100)
    redis.set("denied:7", "first")
    with listening(mirror):
        late.hold()
        redis.set("denied:7", "second")
        late.wait_for_answer()
        assert mirror.known(["denied:7"]) is None
        assert mirror.get(["denied:7"]) == [b"second"]
        mirror.forget(["denied:9"])
        assert mirror.known(["denied:9"]) is None
        late.hand_on.set()
        assert first_known(mirror, ["denied:7", "denied:9"]) == [b"second", None]
        eventually(lambda: list(mirror._state.entries) == ["denied:7"])


def test_a_prefix_is_no_pattern(redis: Redis) -> None:
    mirror = Whole(redis, ("de[n]ied*:",), 100)
    redis.mset({"de[n]ied*:7": "x", "denied*:7": "x"})
    with listening(mirror):
        assert list(mirror._state.entries) == ["de[n]ied*:7"]


def test_too_many_to_be_whole_is_said_once_and_asked_for(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "authdemo.mirror")
    mirror = Whole(redis, ("denied:",), 10)
    redis.set("denied:0", "x")
    with listening(mirror):
        redis.mset({f"denied:{number}": "x" for number in range(11)})
        eventually(lambda: "more than 10 keys" in caplog.text)
        eventually(lambda: not mirror._state.entries)
        assert mirror.known(["denied:1"]) is None
        assert mirror.get(["denied:10", "denied:11"]) == [b"x", None]
        mirror.forget(f"denied:{number}" for number in range(1000))
        assert not mirror._state.entries
        assert not mirror._state.changed
        assert UNSUPPORTED_SECONDS > TRUST_SECONDS
        assert len([r for r in caplog.records if "more than" in r.message]) == 1


def test_stop_ends_the_connection(redis: Redis) -> None:
    mirror = Copies(redis, PREFIXES, 100)
    with listening(mirror):
        assert len(listeners(redis)) == 1
    assert not mirror.is_current
    eventually(lambda: not listeners(redis))
