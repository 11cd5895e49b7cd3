"""Who is audited without `--url`? One more server of this deployment, on a port of its own.

It has the deployment's settings, Redis, database and keys, and ends with the audit.
"""

from __future__ import annotations

import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.checks import ERROR, run_checks

from accounts.auth_redis import auth_redis
from accounts.models import User
from lab.audit.scene import Person, Scene
from lab.benchmark.run.servers import serving
from lab.staging.processes import StageError as CannotStart
from lab.staging.site import Project

__all__ = ["CannotStart", "scene_of_this_deployment"]

WORKERS = 2


@contextmanager
def scene_of_this_deployment() -> Iterator[Scene]:
    """A server that runs, and a user of its own. Raises `CannotStart`, with the reason."""
    refuse_what_cannot_start()
    with tempfile.TemporaryDirectory(prefix="authdemo-audit-") as folder, somebody() as person:
        project = Project("audit", Path(sys.executable), "authdemo.wsgi", variables(), "")
        with serving([project], WORKERS, Path(folder)) as started:
            scene = scene_at(started["audit"].url, person)
            try:
                yield scene
            finally:
                scene.close()


def refuse_what_cannot_start() -> None:
    """Say what the server would say, in its own words, and before there is a user to be left over.

    Raises `CannotStart` and `RedisError`.
    """
    errors = [found for found in run_checks() if found.level >= ERROR and not found.is_silenced()]
    if errors:
        refused = " ".join(f"{error.msg} {error.hint or ''}".strip() for error in errors)
        raise CannotStart(f"The site does not start with this configuration. {refused}")
    auth_redis().ping()


def scene_at(url: str, person: Person) -> Scene:
    """The inside of this deployment, asked at `url` by the name that it answers to."""
    host = next((name.lstrip(".") for name in settings.ALLOWED_HOSTS if name != "*"), "")
    headers = {"Host": host.lstrip(".")} if host else {}
    # We are the proxy that has taken the encryption off.
    over_https = {"X-Forwarded-Proto": "https", "Referer": f"https://{host}/"}
    return Scene(
        url,
        person=person,
        inside=True,
        headers=headers,
        over_https=over_https if settings.HTTPS else {},
    )


def variables() -> dict[str, str]:
    """What is not as in the deployment: nobody counts us, and where it wants HTTPS, a proxy."""
    proxies = {"TRUSTED_PROXIES": str(max(1, settings.TRUSTED_PROXIES))} if settings.HTTPS else {}
    return {"METRICS": "0", **proxies}


@contextmanager
def somebody() -> Iterator[Person]:
    """A user with a password that nobody knows, for as long as the audit takes."""
    name, password = f"audit-{secrets.token_hex(6)}", secrets.token_urlsafe(24)
    user = User.objects.create_user(
        name, f"{name}@example.org", password, display_name=f"Audit of {name}"
    )
    try:
        yield Person(name, password, words=(user.password,))
    finally:
        user.delete()
