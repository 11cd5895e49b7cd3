"""What if the attacker chooses the credential, before its user logs in? Session fixation."""

from __future__ import annotations

from jwt_api import store as token_store
from lab.attacks.attack import Outcome, Source, Verdict, verdicts
from lab.attacks.browsers.on_a_page import BrowserAttack
from lab.attacks.browsers.visit import Visit
from lab.attacks.held import source_of
from lab.staging.processes import StageError
from lab.strategies import database_sessions
from sessions_api.engine import SessionStore

# What the site gives to whoever logs in, and what is no credential.
OTHERS = ("known-device", "csrftoken")


class PlantACredential(BrowserAttack):
    """Cookies are not bound to a port: who has another one of the host sets ours (A38, A51)."""

    key = "plant-a-credential"
    title = "Plant a credential before the login"
    catalogue = ("A38", "A51")
    story = (
        "Mallory logs in herself, and has a page on another port of the host set her own cookies "
        "in ada's browser. Ada logs in. Mallory, who still has what she planted, asks who she is."
    )
    precondition = "A foothold on the same host. A sibling subdomain cannot: `__Host-` is refused."
    expected = verdicts(does_not_apply=("jwt-naive",)) | {
        "session-fixation": Verdict.SUCCEEDS,
        "session-no-csrf": Verdict.STOPPED,
    }

    def attack(self, visit: Visit) -> Outcome:
        mallory = visit.scene.person("mallory")
        mallory.log_in("Mallory logs in, to have something to plant.")
        planted = [c for c in mallory.http.cookies.jar if not c.name.endswith(OTHERS)]
        if not planted:
            return visit.scene.does_not_apply("Its credential is no cookie.")
        headers = tuple(f"{c.name}={c.value}; Path=/; Secure; HttpOnly" for c in planted)
        visit.plant(headers)
        held = {cookie.get("name"): cookie.get("value") for cookie in visit.context.cookies()}
        if not all(held.get(c.name) == c.value for c in planted):
            raise StageError("the cookies were not planted")
        visit.scene.note("mallory", "Ada's browser holds mallory's cookies now.")
        visit.log_in()
        mallory.token = None
        if is_ada(visit, mallory.asks("Mallory presents what she planted.").json()):
            return visit.scene.succeeds(
                "The server kept the id that came along with the login. Mallory knows it, because "
                "she chose it, and is ada without having stolen anything."
            )
        mallory.refreshes("And she tries to renew it.")
        if is_ada(visit, mallory.asks("Is she ada now?").json()):
            return visit.scene.succeeds("What was planted could be renewed into ada's login.")
        return visit.scene.stopped(
            "A login starts a credential of its own, and ends whatever the browser brought along.",
            held=_starts_anew(visit.scene.strategy.key),
        )


def is_ada(visit: Visit, answer: dict[str, object]) -> bool:
    return answer.get("id") == visit.scene.ids["ada"]


def _starts_anew(key: str) -> Source:
    if key in ("session-redis", "session-push"):
        return source_of(SessionStore.__setitem__, "new_device=True")
    if key.startswith("session"):
        return source_of(database_sessions.Flow.new_id, "new_session_id")
    return source_of(token_store.start_family, "new_device_id()")
