"""Is a dump of the database a list of logins?"""

from __future__ import annotations

from jwt_api.store import _write_outstanding
from lab.attacks.attack import Attack, Group, Outcome, Source, verdicts
from lab.attacks.held import source_of
from lab.attacks.person import Person
from lab.attacks.scene import Scene
from lab.attacks.stores.list_the_keys import WORDS, try_all
from sessions_api.records import digest_of


def kept_as(ada: Person) -> Source | None:
    """What the database is given in a credential's place; None: nothing, so that the check held."""
    if ada.refresh_token:
        return source_of(_write_outstanding, "NOT_STORED")
    return source_of(digest_of) if ada.session_id else None


class ReadADatabaseDump(Attack):
    """SimpleJWT's `OutstandingToken` keeps the usable refresh token, for the admin to show."""

    key = "read-a-database-dump"
    title = "Read a dump of the database, and log in with what is there"
    group = Group.STORE
    catalogue = ("A46",)
    story = (
        "Mallory has found a backup. She tries every word of the rows that have to do with ada as "
        "a credential, in each place where one could stand."
    )
    precondition = "A backup, or an SQL injection that reads."
    expected = verdicts()

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        rows = scene.stage.inside.call("dump", user_id=scene.ids["ada"])
        words = {word for row in rows for value in row.values() for word in WORDS.findall(value)}
        tables = sorted({row["table"] for row in rows})
        scene.note("mallory", f"She reads {len(rows)} rows of {', '.join(tables)}.")
        if try_all(scene, ada, words):
            return scene.succeeds("A column held something that logs in.")
        return scene.stopped(
            "Rows know a login by a number or a digest; no text stands there that opens anything.",
            held=kept_as(ada),
        )
