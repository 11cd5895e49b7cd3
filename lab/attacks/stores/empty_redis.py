"""Does what was revoked come back, if Redis forgets everything?"""

from __future__ import annotations

from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.person import must
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import for_how_long, good
from lab.attacks.times import STRICT


class EmptyRedis(Attack):
    """A denylist that is gone denies nobody."""

    key = "empty-redis"
    title = "Empty Redis, so that it forgets who was logged out"
    group = Group.STORE
    catalogue = ()  # the list knows of stores that stall, and not of any that forget
    story = (
        "Mallory has a copy of ada's login. Ada logs out. Then Redis is restarted without its "
        "data, and remembers no logout. Mallory uses the copy."
    )
    precondition = "A copy, and a Redis that loses its data: a crash, a FLUSHALL, an eviction."
    expected = verdicts(succeeds=("jwt-naive", "jwt-expiry", "jwt-cookie"))
    environment = STRICT
    alone = True

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        thief = scene.thief_of(ada)
        must(ada.leaves("Ada logs out."))
        with scene.stage.redis() as redis:
            redis.flushall()
        scene.note("mallory", "Redis is empty.")
        uses = good(thief.asks("Mallory uses the copy."))
        left = for_how_long(thief)
        if uses or good(thief.refreshes("Mallory refreshes it.")):
            return scene.succeeds(f"Nobody remembers the logout, or nobody asks.{left}")
        return scene.stopped(
            "A session that is nowhere is no session; and a denylist that began after a token was "
            "issued is not believed alone: the database is asked."
        )
