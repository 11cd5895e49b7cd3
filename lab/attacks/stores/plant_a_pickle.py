"""Does whoever can write to Redis run code on the server?"""

from __future__ import annotations

import pickle
from pathlib import Path

from accounts.snapshots import Snapshot
from lab.attacks.attack import SESSIONS, TOKENS, Attack, Group, Outcome, verdicts
from lab.attacks.held import source_of
from lab.attacks.scene import Scene
from sessions_api.records import decode

READS_REDIS = ("session-redis", "session-push", "jwt-lookup", "jwt-push")


class Payload:
    """Makes a file where it is unpickled, instead of something worse."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


class PlantAPickle(Attack):
    """django-redis pickles by default: measured, code ran with the next request."""

    key = "plant-a-pickle"
    title = "Write a pickle into Redis, to run code"
    group = Group.STORE
    catalogue = ("A44",)
    story = (
        "Mallory can write to Redis. She puts a pickle under every key that a request of ada's "
        "reads; whoever unpickles it runs her program."
    )
    precondition = "Access to Redis, for writing."
    expected = verdicts(
        does_not_apply=[key for key in (*SESSIONS, *TOKENS) if key not in READS_REDIS]
    )

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        if scene.strategy.key not in READS_REDIS:
            return scene.does_not_apply("A request of this strategy reads nothing in Redis.")
        ran = scene.stage.folder / f"ran-{ada.username}"
        user_id, device = scene.ids["ada"], ada.asks("Who is ada?").json()["device"]
        with scene.stage.redis() as redis:
            names = {f"denied:{{{user_id}}}", f"denied:{{{user_id}}}:{device}"}
            names |= {name.decode() for name in redis.scan_iter(f"*{{{user_id}}}*", count=1000)}
            for name in sorted(names):
                redis.set(name, pickle.dumps(Payload(ran)), ex=300)
        scene.note("mallory", f"She writes her pickle under {len(names)} keys: {sorted(names)[0]}")
        answer = ada.asks("Ada's browser asks something.")
        ada.refreshes("And refreshes.")
        if ran.exists():
            return scene.succeeds("The server unpickled it: mallory's program ran there.")
        return scene.stopped(
            f"The answer was {answer.status_code}, and nothing ran: what stands in Redis is "
            "parsed as JSON, or as words, which are no program.",
            held=source_of(decode if ada.session_id else Snapshot.decode, "except"),
        )
