"""How is a program started that must not outlive its starter? In a session of its own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from django.conf import settings

STOP_SECONDS = 5


class StageError(Exception):
    """Raised when a stage cannot be set up, or used; the message is for the reader."""


def command(environment: Mapping[str, str], *arguments: str | Path) -> list[str]:
    """The command with these variables over our own; `env` becomes the program, under one id."""
    return [
        "env",
        *(f"{name}={value}" for name, value in environment.items()),
        *map(str, arguments),
    ]


def finish(environment: Mapping[str, str], *arguments: str | Path) -> str:
    """Run a program to its end and return what it said; raises `StageError` with its last line.

    A Ctrl-C of the terminal does not reach it: we end it, and it has nothing to say about it.
    """
    with subprocess.Popen(
        command(environment, *arguments),
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, errors = process.communicate()
        finally:
            stop(process)
    if process.returncode:
        raise StageError(f"{Path(arguments[0]).name} failed: {last_line(errors or said)}")
    return said


@contextmanager
def running(
    environment: Mapping[str, str], *arguments: str | Path, log: Path, keep: Sequence[int] = ()
) -> Iterator[subprocess.Popen[str]]:
    """A program that runs until the end of the block. It keeps the file descriptors `keep`.

    Its standard input ends when we do, however we end.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command(environment, *arguments),
            cwd=settings.BASE_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if not keep else output,
            stderr=output,
            text=True,
            pass_fds=keep,
            # Surprise: Ctrl-C goes to every process of the terminal's group, and the servers
            # would be gone before the last answer is counted.
            start_new_session=True,
        )
    try:
        yield process
    finally:
        close(process.stdin)
        stop(process)
        close(process.stdout)


def stop(process: subprocess.Popen[str]) -> None:
    """End a program, and whatever it has started in its session."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def close(pipe: IO[str] | None) -> None:
    if pipe is not None:
        with suppress(OSError):
            pipe.close()


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it gave no reason"
