"""Does every worker process refuse what was ended, by push alone, and a worker made later too?

Real workers behind one address. Each is asked on a connection of its own, and has let the login in
from its memory before: its receipts say that Redis was not asked. No time is asserted, but this:
the first answer after the end is a refusal. (`accounts.mirror` says why, `make mirror-times`
measures it.)
"""

from __future__ import annotations

import json
import os
import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import override_settings
from redis import Redis

from authdemo import embedded_redis
from lab.differences import difference
from lab.side.ways import WAYS, Act, Scene
from lab.side.workers import Unreachable, Worker, each_worker
from lab.strategies import strategy
from tests.accounts.mirroring import eventually
from tests.deployment import Deployment, deployed

pytestmark = [
    pytest.mark.once,
    pytest.mark.slow,
    pytest.mark.thorough,
    pytest.mark.timeout(600),
]

WORKERS = 4
PUSHED = ("session-push", "jwt-push")
WORKER = "/lab/side/worker/"
ELSEWHERE = {"X-Forwarded-For": "203.0.113.9", "User-Agent": "Chrome/141.0.0.0 Safari/537.36"}
BOOTS = 120.0
"""Seconds that a few workers need to start, at most, on a machine that does much else."""
EXPIRES_MILLISECONDS = 10_000
"""Long enough for every worker to copy a session before it expires."""


@dataclass
class Site:
    """A deployment, and the Redis that it stands on."""

    deployment: Deployment
    redis: Redis
    workers: int

    @property
    def address(self) -> str:
        return self.deployment.url.removeprefix("http://")

    def wait_for_workers(self, former: set[int]) -> None:
        """Until all are there, and none of those."""

        def are_there() -> bool:
            with suppress(Unreachable), each_worker(self.address, WORKER) as workers:
                return len(workers) == self.workers and former.isdisjoint(pids(workers))
            return False

        eventually(are_there, seconds=BOOTS)

    def run(self, code: str) -> None:
        """As an operator, in a process of their own."""
        self.deployment.manage("shell", "--verbosity=0", "--command", code)

    @contextmanager
    def scene(self, key: str) -> Iterator[Scene]:
        """Somebody who is logged in with that strategy, and nobody else's concern."""
        name, password = f"{key}-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
        self.run(f"User.objects.create_user({name!r}, password={password!r})")
        user: Any = SimpleNamespace(username=name)
        with Scene(self.deployment.url, strategy(key), user, password).entered() as scene:
            yield scene


@contextmanager
def serving(folder: Path, *options: str, workers: int) -> Iterator[Site]:
    served = {"TRUSTED_PROXIES": "1", "WEB_WORKERS": str(workers)}
    options = (f"--workers={workers}", *options)
    with deployed(folder, options=options, **served) as deployment:
        # `each_worker` looks for so many.
        with (
            override_settings(WEB_WORKERS=workers),
            closing(Redis.from_url(embedded_redis.url(folder))) as redis,
        ):
            site = Site(deployment, redis, workers)
            site.wait_for_workers(set())
            yield site
        assert "Traceback" not in (folder / "server.log").read_text()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("push"), workers=WORKERS) as site:
        yield site


# --- asking the workers ------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """What a worker answered, and how many Redis commands that took."""

    status: int
    redis: int


def whoami(worker: Worker, scene: Scene) -> Seen:
    headers = scene.presented() | {"X-Lab-Receipt": "1"}
    worker.connection.request("GET", f"{scene.strategy.path}whoami/", headers=headers)
    response = worker.connection.getresponse()
    response.read()
    return Seen(response.status, json.loads(response.headers["X-Lab-Receipt"])["counts"]["redis"])


def lets_in_unasked(worker: Worker, scene: Scene) -> bool:
    return whoami(worker, scene) == Seen(200, redis=0)


def remember(workers: list[Worker], scene: Scene) -> None:
    """Have each worker let the login in without asking."""
    for worker in workers:
        eventually(partial(lets_in_unasked, worker, scene))


def pids(workers: list[Worker]) -> set[int]:
    return {worker.pid for worker in workers}


def statuses(site: Site, scene: Scene) -> list[int]:
    """What each of all workers answers, asked once."""
    with each_worker(site.address, WORKER) as workers:
        assert len(workers) == WORKERS
        return [whoami(worker, scene).status for worker in workers]


# --- the ways to end a login ------------------------------------------------------------------


def deactivate(site: Site, scene: Scene) -> Act:
    name = scene.user.username
    return lambda: site.run(f"User.objects.filter(username={name!r}).update(is_active=False)")


def use_a_copy_elsewhere(site: Site, scene: Scene) -> Act:
    """With the use that gives a thief away: a request, or a refresh."""
    thief = scene.client()
    thief.http.cookies.update(scene.login.http.cookies)
    thief.http.headers.update(ELSEWHERE)
    thief.token = scene.login.token
    thief.fetch_csrf_token()
    uses = {"next request": ("GET", "whoami/"), "next refresh": ("POST", "refresh/")}
    method, path = uses[difference("a_thief_is_noticed", scene.strategy.key)]

    def use() -> None:
        assert thief.send(method, path).status_code == 401

    return use


def session_name(site: Site, scene: Scene) -> bytes | str:
    (name,) = site.redis.keys(f"session:{{{scene.login.whoami()['id']}}}:*")
    return name


def delete_the_session(site: Site, scene: Scene) -> Act:
    name = session_name(site, scene)
    return lambda: site.redis.delete(name)


def let_the_session_expire(site: Site, scene: Scene) -> Act:
    name = session_name(site, scene)
    site.redis.pexpire(name, EXPIRES_MILLISECONDS)
    return lambda: eventually(lambda: not site.redis.exists(name))


def put_on_the_denylist(site: Site, scene: Scene) -> Act:
    me = scene.login.whoami()
    return lambda: site.redis.set(f"denied:{{{me['id']}}}:{me['device']}", 1, ex=60)


End = Callable[[Site, Scene], Act]


def as_a_visitor(how: str) -> End:
    return lambda site, scene: WAYS[how].prepare(scene)


EVERYWHERE: dict[str, End] = {
    **{how: as_a_visitor(how) for how in ("logout", "device", "everywhere", "password")},
    "deactivation": deactivate,
    "copy used elsewhere": use_a_copy_elsewhere,
}
# What an operator does in Redis, by hand. A token has no key that could be deleted or expire: its
# end is `exp`, which no mirror has to tell. And no session ends when an old id of it is presented.
ENDS: dict[str, dict[str, End]] = {
    "session-push": EVERYWHERE | {"DEL": delete_the_session, "expiry": let_the_session_expire},
    "jwt-push": EVERYWHERE | {"SET": put_on_the_denylist, "reuse": as_a_visitor("theft")},
}


def test_a_visitor_has_no_other_way_to_end_a_login() -> None:
    assert WAYS.keys() == {"logout", "device", "everywhere", "password", "theft", "role"}


@pytest.mark.parametrize(("key", "how"), [(key, how) for key in ENDS for how in ENDS[key]])
def test_every_worker_refuses_what_was_ended(site: Site, key: str, how: str) -> None:
    with site.scene(key) as scene:
        end = ENDS[key][how](site, scene)
        with each_worker(site.address, WORKER) as workers:
            assert len(workers) == WORKERS
            remember(workers, scene)
            end()
            assert [whoami(worker, scene).status for worker in workers] == [401] * WORKERS
            still = [worker.get(WORKER, {})[1]["pid"] for worker in workers]
            assert still == [worker.pid for worker in workers], "one anew had no copy to forget"


@pytest.mark.parametrize("key", PUSHED)
def test_nobody_else_is_logged_out(site: Site, key: str) -> None:
    with site.scene(key) as ended, site.scene(key) as bystander:
        ended.login.logout()
        assert statuses(site, bystander) == [200] * WORKERS


# --- workers that come and go -----------------------------------------------------------------


def assert_later_workers_know(site: Site, key: str, replace: Callable[[set[int]], None]) -> None:
    """`replace` has the workers of these ids end; what was ended before and meanwhile is ended."""
    with site.scene(key) as before, site.scene(key) as meanwhile, site.scene(key) as live:
        with each_worker(site.address, WORKER) as workers:
            for scene in (before, meanwhile, live):
                remember(workers, scene)
            former = pids(workers)
        before.login.logout()
        replace(former)
        meanwhile.login.logout()
        with each_worker(site.address, WORKER) as workers:
            assert len(workers) == site.workers
            assert former.isdisjoint(pids(workers))
            for worker in workers:
                assert [whoami(worker, scene).status for scene in (before, meanwhile)] == [401, 401]
            remember(workers, live)


@pytest.mark.parametrize("key", PUSHED)
def test_workers_in_the_place_of_killed_ones_refuse_what_was_ended(site: Site, key: str) -> None:
    def kill(former: set[int]) -> None:
        for pid in former:
            os.kill(pid, signal.SIGKILL)
        site.wait_for_workers(former)

    assert_later_workers_know(site, key, kill)


@pytest.mark.parametrize("key", PUSHED)
def test_workers_in_the_place_of_recycled_ones_refuse_what_was_ended(
    tmp_path_factory: pytest.TempPathFactory, key: str
) -> None:
    """gunicorn's `max_requests`: a worker that has answered so many ends, and another one comes.

    One at a time: to find several takes so many requests that they would not last until asked.
    """
    folder, most = tmp_path_factory.mktemp("recycled"), "--max-requests=500"

    with serving(folder, most, workers=1) as site:

        def use_up(former: set[int]) -> None:
            ends = suppress(Unreachable, OSError, HTTPException)
            with ends, each_worker(site.address, WORKER) as (worker,):
                while worker.pid in former:
                    worker.pid = worker.get(WORKER, {})[1]["pid"]
            site.wait_for_workers(former)

        assert_later_workers_know(site, key, use_up)
