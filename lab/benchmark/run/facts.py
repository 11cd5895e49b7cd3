"""Under which conditions is it measured? Asked of the machine and the programs themselves."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import django
import httpx
import redis
from django.conf import settings

from lab.benchmark.run.plan import Counts
from lab.staging.site import Project

PACKAGES = (
    "djangorestframework",
    "djangorestframework-simplejwt",
    "PyJWT",
    "django-redis",
    "redis",
)


def conditions(
    *,
    workers: int,
    redis_url: str,
    database: str,
    counts: Counts,
    driver: str,
    peers: dict[str, str],
    site: dict[str, str],
    arguments: Sequence[str],
) -> dict[str, Any]:
    """Whatever a figure depends on and does not say itself."""
    return {
        "command": shlex.join(["manage.py", *arguments]),
        **revision(settings.BASE_DIR),
        **site,
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "load_at_start": round(os.getloadavg()[0], 1),
        "system": platform.platform(terse=True),
        "versions": {"Python": platform.python_version(), "Django": django.get_version()}
        | {package: version(package) for package in PACKAGES}
        | peers,
        "server": f"gunicorn {version('gunicorn')}, 4 threads in each worker",
        "workers": workers,
        "redis": redis_facts(redis_url),
        "database": database,
        "driver": driver,
        "counts": asdict(counts),
    }


def revision(folder: Path) -> dict[str, str]:
    """`{"revision": "63313fe9a1c2-dirty"}`; empty where there is no git, or no checkout of it."""
    if not (folder / ".git").exists():
        return {}  # git would look above it, and name somebody else's
    describe = ("git", "describe", "--always", "--dirty", "--exclude=*", "--abbrev=12")
    try:
        asked = subprocess.run(describe, cwd=folder, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"revision": asked.stdout.strip()}


def of_site(site: Project, url: str) -> dict[str, str]:
    """With or without the lab, and what its tokens are signed by, as it publishes it."""
    keys = httpx.get(f"{url}/.well-known/jwks.json").raise_for_status().json()["keys"]
    algorithms = ", ".join(sorted({key["alg"] for key in keys}))
    return {"LAB": site.variables["LAB"], "signing_algorithm": algorithms}


def cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def redis_facts(url: str) -> str:
    with redis.Redis.from_url(url) as client:
        info = client.info("server")
    name = "Valkey" if "valkey_version" in info else "Redis"
    where = "a Unix socket" if url.startswith("unix:") else "TCP"
    return f"{name} {info.get('valkey_version') or info['redis_version']}, real, over {where}"
