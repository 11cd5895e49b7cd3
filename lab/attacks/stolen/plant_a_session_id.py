"""What if the victim logs in under an id that the attacker knows?"""

from __future__ import annotations

import secrets

from lab.attacks.attack import TOKENS, Attack, Group, Outcome, verdicts
from lab.attacks.scene import Scene
from lab.attacks.stolen.stealing import good


class PlantASessionId(Attack):
    """Session fixation: with an invented id, and with one that the server has given out."""

    key = "plant-a-session-id"
    title = "Plant a session id before the login (fixation)"
    group = Group.STOLEN
    catalogue = ("A38",)
    story = (
        "Mallory plants a session id in ada's browser, on a shared computer: first an invented "
        "one, then that of a login of her own. Ada logs in. Mallory uses the id that she knows."
    )
    precondition = "A moment at the victim's browser, or a sibling subdomain, before the login."
    expected = verdicts(does_not_apply=TOKENS)

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in("Ada logs in: what does the login keep in the browser?")
        if ada.session_id is None:
            return scene.does_not_apply("The client is given a token; there is no id to plant.")
        mallory = scene.person("mallory")
        mallory.log_in("Mallory logs in as herself.")
        invented = f"{scene.ids['ada']}.{secrets.token_urlsafe(32)}"
        got_in = False
        for what, planted in (("invented", invented), ("her own", mallory.session_id or "")):
            victim = scene.client("ada", ada.username)
            name = "sessionid" if ada.cookie("sessionid") else "sql-sessionid"
            victim.put_cookie(name, planted)
            victim.log_in(f"Ada logs in, under an id that mallory knows ({what}).")
            thief = scene.client("mallory")
            thief.put_cookie(name, planted)
            answer = thief.asks("Mallory uses the id that she planted.")
            got_in = got_in or (good(answer) and answer.json()["id"] == scene.ids["ada"])
        if got_in:
            return scene.succeeds("The login kept the id that was there: mallory shares it.")
        return scene.stopped("A login always gets a new id; the one that came along is ended.")
