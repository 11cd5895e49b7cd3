"""Is a secret that nobody configured made once, whole, and for its owner's eyes only? (R20)"""

import multiprocessing
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from accounts.secret_file import random_text, read_or_create

pytestmark = pytest.mark.once


def test_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "var" / "secret"
    assert read_or_create(path) == read_or_create(path) == path.read_text()
    assert len(random_text()) >= 64
    assert random_text() != random_text()


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "var" / "secret"
    read_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_umask_does_not_open_it(tmp_path: Path) -> None:
    """Whoever starts the server with umask 0 gets a private file all the same."""

    def start() -> None:
        os.umask(0)
        read_or_create(tmp_path / "secret")

    worker = multiprocessing.get_context("fork").Process(target=start)
    worker.start()
    worker.join()
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_no_draft_is_left_behind(tmp_path: Path) -> None:
    read_or_create(tmp_path / "secret")
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_secret_that_could_not_be_made_is_none(tmp_path: Path) -> None:
    """Half a secret would be taken for a whole one by everybody who comes later."""
    with pytest.raises(ZeroDivisionError):
        read_or_create(tmp_path / "secret", make=lambda: str(1 / 0))
    assert not (tmp_path / "secret").exists()


def read_and_say(path: Path, gate: Any, said: Any) -> None:
    gate.wait(10)
    said.put(read_or_create(path))


@pytest.mark.thorough
def test_many_processes_that_start_at_once_agree(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for trial in range(10):
        path = tmp_path / str(trial) / "secret"
        gate, said = context.Barrier(8), context.Queue()

        workers = [context.Process(target=read_and_say, args=(path, gate, said)) for _ in range(8)]
        for worker in workers:
            worker.start()
        answers = {said.get(timeout=10) for _ in workers}
        for worker in workers:
            worker.join()
        assert answers == {path.read_text()}
        assert [found.name for found in path.parent.iterdir()] == ["secret"]
