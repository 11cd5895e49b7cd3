"""What do the tests of `accounts.mirror` stand on? A Redis of their own, and mirrors of it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from typing import Any

from redis import Redis
from redis.client import Pipeline

from accounts.mirror import Mirror

HANGS = 30.0
"""Seconds that nothing here takes unless it hangs."""


class LateClient(Redis):
    """Redis has answered long ago; the answer to a pipeline is handed on when the test says so."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.hand_on = Event()
        self.hand_on.set()
        self.has_answered = Event()

    def pipeline(self, *args: Any, **options: Any) -> Pipeline:
        pipe = super().pipeline(*args, **options)
        execute = pipe.execute

        def execute_late() -> Any:
            answers = execute()
            self.has_answered.set()
            assert self.hand_on.wait(HANGS)
            return answers

        pipe.execute = execute_late  # type: ignore[assignment]
        return pipe

    def hold(self) -> None:
        """Hold back the next answers."""
        self.has_answered.clear()
        self.hand_on.clear()

    def wait_for_answer(self) -> None:
        assert self.has_answered.wait(HANGS)


def eventually(holds: Callable[[], Any], *, seconds: float = HANGS) -> Any:
    """Wait until it holds, for as long as only a hang takes."""
    deadline = time.monotonic() + seconds
    while not (result := holds()):
        assert time.monotonic() < deadline, "never"
        time.sleep(0.001)
    return result


@contextmanager
def listening(mirror: Mirror) -> Iterator[None]:
    """A mirror that has heard Redis, and listens."""
    mirror.start()
    try:
        eventually(lambda: mirror.is_current)
        yield
    finally:
        mirror.stop()


def keep(mirror: Mirror, *names: str) -> None:
    """Have the mirror hold copies of what Redis has."""
    eventually(lambda: mirror.get(names) and mirror.known(names))


def is_unknown(mirror: Mirror, name: str) -> bool:
    """Whether Redis has to be asked, and not only for the moment in which something is heard."""
    for _ in range(30):
        if mirror.known([name]) is not None:
            return False
        time.sleep(0.001)
    return True


def listeners(redis: Redis) -> list[str]:
    """The ids of the connections over which Redis announces; flag `t` is tracking."""
    return [each["id"] for each in redis.client_list() if "t" in each["flags"]]
