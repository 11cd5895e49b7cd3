"""Is a listing of Redis a list of logins?"""

from __future__ import annotations

import json
import re

from lab.attacks.attack import TOKENS, Attack, Group, Outcome, verdicts
from lab.attacks.held import source_of
from lab.attacks.person import Person
from lab.attacks.scene import Scene
from sessions_api.records import digest_of

WORDS = re.compile(r"[A-Za-z0-9_.-]{8,}")


class ListTheKeys(Attack):
    """The stock engine's key is the session id: whoever lists the keys is everybody."""

    key = "list-the-keys"
    title = "Read all of Redis, and log in with what is there"
    group = Group.STORE
    catalogue = ("A45",)
    story = (
        "Mallory can read Redis: names and values of all that has to do with ada. She tries every "
        "word of it as a credential, in each place where one could stand."
    )
    precondition = "Access to Redis, for reading: a backup, a MONITOR, a forgotten port."
    expected = verdicts(does_not_apply=("session-database", *TOKENS))

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        ada.asks("Ada is logged in.")
        user_id = scene.ids["ada"]
        found: set[str] = set()
        with scene.stage.redis() as redis:
            for name in redis.scan_iter(f"*{{{user_id}}}*", count=1000):
                kind = redis.type(name)
                value = redis.get(name) if kind == b"string" else redis.zrange(name, 0, -1)
                found |= set(WORDS.findall(f"{name.decode()} {value!r}"))
        if not found:
            return scene.does_not_apply("Redis knows nothing of this login, not even a name.")
        scene.note("mallory", f"She finds {len(found)} words that could be something.")
        if try_all(scene, ada, found):
            return scene.succeeds("A word of the listing was a login.")
        return scene.stopped(
            "What stands there is digests and facts; the secret itself is kept nowhere.",
            held=source_of(digest_of),
        )


def try_all(scene: Scene, ada: Person, words: set[str]) -> bool:
    """Whether one of the words lets mallory in, wherever the strategy looks for a credential."""
    user_id = scene.ids["ada"]
    for word in sorted(words)[:40]:
        mallory = scene.client("mallory")
        mallory.copy_from(ada)
        tried = json.dumps(word)[1:13]
        for name in ("sessionid", "sql-sessionid", "access", "refresh"):
            if ada.cookie(name):
                is_whole = "session" not in name or word.startswith(f"{user_id}.")
                mallory.put_cookie(name, word if is_whole else f"{user_id}.{word}")
        mallory.token = word if ada.token else None
        if mallory.asks(f"She tries {tried}… as ada's credential.").is_success:
            return True
        if ada.refresh_token and mallory.refreshes(f"And {tried}… to refresh.").is_success:
            return True
    return False
