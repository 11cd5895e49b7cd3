"""Under which conditions is it measured? Asked of the machine and the programs themselves."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import django
import redis

from lab.benchmark.run.plan import Counts

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
    arguments: Sequence[str],
) -> dict[str, Any]:
    """Whatever a figure depends on and does not say itself."""
    return {
        "command": shlex.join(["manage.py", *arguments]),
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
