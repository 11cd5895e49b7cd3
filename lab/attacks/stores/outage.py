"""How is Redis taken away for a while? By Redis itself, which holds every command back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab.attacks.scene import Scene

STALL_SECONDS = 4


@contextmanager
def stalled(scene: Scene) -> Iterator[None]:
    """Redis answers nobody in this block, and everybody after it."""
    with scene.stage.redis() as redis:
        redis.client_pause(STALL_SECONDS * 1000, all=True)
    until = time.monotonic() + STALL_SECONDS
    scene.note("mallory", f"From now on Redis answers nobody, for {STALL_SECONDS} seconds.")
    yield
    time.sleep(max(0.0, until - time.monotonic()) + 1)
    scene.note("mallory", "Redis answers again.")
