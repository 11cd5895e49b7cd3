"""What has to stand before anything is measured? The driver, Redis, databases, users, servers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import redis
from django.conf import settings

from lab.benchmark.run import environment, facts, servers, wrk
from lab.benchmark.run.databases import described, private_databases
from lab.benchmark.run.plan import Bench, Counts
from lab.benchmark.run.subjects import SITE, Subject
from lab.staging.redis_server import private_redis, refuse_unfit
from lab.staging.site import Project, site


@dataclass(frozen=True)
class Choice:
    """What the reader asked for."""

    subjects: tuple[Subject, ...]
    counts: Counts
    workers: int
    redis_url: str


@contextmanager
def staged(
    choice: Choice, folder: Path, say: Callable[[str], None]
) -> Iterator[tuple[Bench, dict[str, Any]]]:
    """Everything runs, and ends with the block. Yields it, and the conditions it stands for."""
    tools = settings.VAR_DIR / "benchmark"
    with ExitStack() as stack:
        say("Starting Redis ...")
        redis_url = stack.enter_context(redis_of(choice, folder))
        say("Looking for the load driver ...")
        driver = wrk.find(tools / "wrk")
        names = sorted({name for subject in choice.subjects for name in subject.servers})
        peers = ""
        if set(names) - {SITE}:
            say("Installing the peers, once; a minute or two ...")
            peers = str(environment.python_with_peers(tools / "peers"))
        urls = stack.enter_context(private_databases(folder, names))
        projects = {
            name: project(name, folder, redis_url, urls[name], Path(peers or sys.executable))
            for name in names
        }
        say("Making tables and users ...")
        with ThreadPoolExecutor() as threads:
            list(threads.map(Project.prepare, projects.values()))
        say("Starting the servers ...")
        started = stack.enter_context(servers.serving([*projects.values()], choice.workers, folder))
        conditions = facts.conditions(
            workers=choice.workers,
            redis_url=redis_url,
            database=described(),
            counts=choice.counts,
            driver=driver.described(),
            peers=environment.versions(Path(peers)) if peers else {},
            site=facts.of_site(projects[SITE], started[SITE].url) if SITE in projects else {},
            arguments=sys.argv[1:],
        )
        yield (
            Bench(
                servers=started,
                projects=projects,
                subjects=choice.subjects,
                counts=choice.counts,
                workers=choice.workers,
                driver=driver,
                redis_url=redis_url,
                folder=folder,
                stack=stack,
            ),
            conditions,
        )


@contextmanager
def redis_of(choice: Choice, folder: Path) -> Iterator[str]:
    """A private one, or the one that was named: empty before, and empty again after it."""
    if not choice.redis_url:
        with private_redis(folder) as url:
            yield url
        return
    refuse_unfit(choice.redis_url)
    try:
        yield choice.redis_url
    finally:
        with redis.Redis.from_url(choice.redis_url) as client:
            client.flushdb()


def project(name: str, folder: Path, redis_url: str, database_url: str, python: Path) -> Project:
    if name == SITE:
        # With the floor beside the rest; nobody but us can reach it.
        return replace(site(folder, redis_url, database_url), wsgi="lab.benchmark.run.wsgi")
    return servers.peers(name, folder, redis_url, database_url, python)
