"""How does one see all of it at once? This command sets everything up, says what, and serves."""

import os
import shlex
import signal
import socket
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connections
from rich.console import Console

from accounts.management.commands.make_demo_users import DEMO_USERS, demo_password
from authdemo import embedded_redis, redis_facts, web_server
from authdemo.file_lock import open_lock, try_lock

PAGES = (
    ("both flows side by side", "/"),
    ("log in with a session", "/sessions/login/"),
    ("log in with JWT", "/jwt/login/"),
    ("the lab: strategies side by side", "/lab/"),
    ("the mailbox: what the site has sent", "/lab/mailbox/"),
    ("the API, with a session", "/api/sessions/me/"),
    ("the API, with JWT", "/api/jwt/me/"),
    ("the API's documentation", "/api/docs/"),
    ("the admin", "/admin/"),
)


class Command(BaseCommand):
    help = "Set up everything (Redis, database, demo users) and serve the site, the lab included."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT, help="0 takes a free one")
        parser.add_argument("--host", default="127.0.0.1")

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        if not settings.LAB:
            raise CommandError("The demo is part of the lab: LAB=1, or start it by manage.py.")
        if not is_loopback(host):
            raise CommandError(
                f"{host} can be reached by others, and they would get the lab and the demo "
                "passwords. Serve other machines by `gunicorn authdemo.wsgi`, with LAB=0."
            )
        listen_for_signals()
        try:
            with only_one(settings.VAR_DIR / "demo.lock") as note:
                exit_code = self.run(note, host, port)
        except KeyboardInterrupt:
            exit_code = 0
        self.end(exit_code)

    def run(self, note: Path, host: str, port: int) -> int:
        try:
            listener = web_server.listen(host, port)
        except web_server.PortError as error:
            raise CommandError(str(error)) from error
        url = site_url(listener, host)
        note.write_text(f"{url} {os.getpid()}")
        with Console(soft_wrap=True, highlight=False) as console:
            with console.status("Setting up ..."):
                redis = set_up()
            if interrupted.is_set():
                raise KeyboardInterrupt
            console.print(introduction(url, redis), end="")
        # Surprise: a connection that was open at the fork would be shared by all workers.
        connections.close_all()
        caches.close_all()
        return web_server.serve(listener, workers=settings.WEB_WORKERS)

    def end(self, exit_code: int) -> None:
        embedded_redis.release(settings.VAR_DIR)
        if exit_code:
            raise CommandError("The web server gave up; the reason stands above.")
        self.stdout.write(f"Stopped. Your data are kept in {shown(settings.VAR_DIR)}/.")
        if not settings.REDIS_URL and not embedded_redis.wait_until_gone(settings.VAR_DIR):
            self.stdout.write("Redis goes on for the other programs of this checkout that use it.")


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


# Surprise: Python drops a KeyboardInterrupt that comes while it runs a finalizer, with a traceback
# on the terminal, and the command went on as if nobody had pressed Ctrl-C.
interrupted = Event()


def listen_for_signals() -> None:
    interrupted.clear()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, interrupt)
    told = sys.unraisablehook
    sys.unraisablehook = lambda dropped: None if interrupted.is_set() else told(dropped)


def interrupt(signum: int, frame: FrameType | None) -> None:
    interrupted.set()
    raise KeyboardInterrupt


@contextmanager
def only_one(path: Path) -> Iterator[Path]:
    """Refuse to start beside a demo of this checkout; yield the file that names us to others."""
    note = path.with_suffix(".txt")
    with open_lock(path) as lock:
        if not try_lock(lock):
            url, _, pid = note.read_text().partition(" ") if note.exists() else ("", "", "")
            where = f"already runs at {url} (process {pid})" if pid else "is just being started"
            raise CommandError(f"The demo of this checkout {where}. Stop it there with Ctrl-C.")
        note.unlink(missing_ok=True)
        yield note


def site_url(listener: socket.socket, host: str) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}"


def set_up() -> redis_facts.RedisFacts:
    """Bring up Redis, the tables and the demo users."""
    if not settings.REDIS_URL:
        try:
            embedded_redis.ensure_running(settings.VAR_DIR)
        except (embedded_redis.EmbeddedRedisError, OSError) as error:
            raise CommandError(str(error)) from error
    redis = redis_facts.describe(settings.CACHES["auth"]["LOCATION"])
    if redis.kind == "none":
        raise CommandError(f"REDIS_URL: {redis}.")
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except OperationalError as error:
        raise CommandError(f"The database cannot be used: {error}") from error
    with open(os.devnull, "w") as quiet:
        call_command("make_demo_users", stdout=quiet)
    return redis


def introduction(url: str, redis: redis_facts.RedisFacts) -> str:
    """Say what runs, who can log in and where to look."""
    source = "REDIS_URL" if settings.REDIS_URL else "private to this checkout"
    people = [f"  {name:<8} {demo_password(name)}" for name in DEMO_USERS]
    pages = [f"  {url + page:<45} {title}" for title, page in PAGES]
    lines = [
        "",
        f"[bold]authdemo is at {url}[/bold]",
        "",
        f"  Redis      {redis} ({source})",
        f"  Database   {database()}",
        f"  Server     {server()}",
        "",
        "[bold]Log in as[/bold]",
        *people,
        "",
        "[bold]Look at[/bold]",
        *pages,
        "",
        "[bold]Start beside it[/bold], in another terminal: notes for tokens of programs, by a",
        "service that has only the public keys (make a token at /jwt/devices/)",
        f"  {verifier_command(url)}",
        *denylist_hint(),
        "",
        "Ctrl-C stops everything. The lab and these passwords are for this machine only.",
    ]
    return "\n".join(lines) + "\n"


def verifier_command(url: str) -> str:
    """What starts the service that verifies on its own, with all that it has to know."""
    python = Path(sys.executable)
    inside = python.is_relative_to(settings.BASE_DIR)
    told = {
        "jwks": f"{url}/.well-known/jwks.json",
        "issuer": settings.SIMPLE_JWT["ISSUER"],
        "audience": settings.JWT_PROGRAM_AUDIENCE,
    }
    options = " ".join(f"--{name}={shlex.quote(value)}" for name, value in told.items())
    program = python.relative_to(settings.BASE_DIR) if inside else python
    return f"{program} -m jwt_api.verifier {options}"


def denylist_hint() -> list[str]:
    """What lets that service hear of revocations; not where an address may hold a password."""
    if settings.REDIS_URL:
        return []
    return [f"  and, to hear of revocations too, --redis={settings.CACHES['auth']['LOCATION']}"]


def database() -> str:
    chosen = connections["default"]
    if chosen.vendor == "sqlite":
        return f"SQLite, {shown(Path(chosen.settings_dict['NAME']))}"
    return f"{chosen.display_name}, {chosen.settings_dict['NAME']}"


def server() -> str:
    if os.name == "posix":
        return f"gunicorn, {settings.WEB_WORKERS} worker processes"
    return "waitress, one process (gunicorn does not run on this system)"


def shown(path: Path) -> str:
    """Return the path as the reader would type it in the checkout."""
    resolved = path.resolve()
    root = settings.BASE_DIR.resolve()
    return str(resolved.relative_to(root) if resolved.is_relative_to(root) else resolved)
