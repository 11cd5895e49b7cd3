"""What is a site of a stage? This project, or another, with an environment of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.staging.processes import finish, running

BACKLOG = 512
# As in production, but for the lab's users, and limits that whoever logs in often would run into.
SITE = {
    "ENV_FILE": os.devnull,
    "DEBUG": "0",
    "LAB": "1",
    "METRICS": "0",
    "LOG_FORMAT": "json",
    "HTTPS": "0",
    "ALLOWED_HOSTS": "127.0.0.1",
    "SITE_URL": "",
    "TRUSTED_PROXIES": "0",
    "COOKIE_SECURE": "1",
    "LOGIN_LIMIT_ACCOUNT": "1000000",
    "LOGIN_LIMIT_NETWORK": "1000000",
}
MIGRATE = (
    "from django.core.management import call_command; "
    "call_command('migrate', verbosity=0, skip_checks=True); "
)


@dataclass(frozen=True)
class Project:
    """A site that can be started: `variables` are its environment, `make_users` is code."""

    name: str
    python: Path
    wsgi: str
    variables: dict[str, str]
    make_users: str

    def run(self, code: str) -> str:
        """Run Python inside of the site, and return what it printed."""
        return finish(self.variables, self.python, "-m", "django", "shell", "-v0", "-c", code)

    def prepare(self) -> None:
        """Tables, and users who can log in."""
        self.run(MIGRATE + self.make_users)


def site(folder: Path, redis_url: str, database_url: str) -> Project:
    """This project."""
    variables = SITE | {
        "VAR_DIR": str(folder),
        "REDIS_URL": redis_url,
        "DATABASE_URL": database_url,
    }
    return Project(
        "site",
        Path(sys.executable),
        "authdemo.wsgi",
        variables,
        "call_command('make_demo_users')",
    )


@contextmanager
def started(
    project: Project, folder: Path, *, workers: int, config: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Its gunicorn, with the settings of the module `config`: address and process.

    It may not answer yet. What it logs goes to `<name>.log` in the folder.
    """
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(BACKLOG)
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        gunicorn = (project.python, "-m", "gunicorn", project.wsgi)
        options = (
            f"--config=python:{config}",
            f"--workers={workers}",
            f"--bind=fd://{listener.fileno()}",
        )
        server = running(
            project.variables,
            *gunicorn,
            *options,
            log=folder / f"{project.name}.log",
            keep=[listener.fileno()],
        )
        with server as process:
            # The server's own from here on: with ours open, a dead one would be waited for.
            listener.close()
            yield address, process
