"""What if the browser is logged in as somebody else, and its user does not notice? Login CSRF."""

from __future__ import annotations

import json

import httpx

from accounts.contract.views import ContractView
from lab.attacks.attack import Outcome, Source, Verdict, verdicts
from lab.attacks.browsers.forging import ANY_SITE, SUBMIT
from lab.attacks.browsers.on_a_page import BrowserAttack
from lab.attacks.browsers.visit import Visit
from lab.attacks.held import source_of

# A form as text/plain writes `name=value`: the "=" goes into a value that nobody reads.
FORM = """<form method="post" action="{url}" enctype="text/plain">
<input name='{name}' value='{value}'></form><script>{submit}</script>"""


class LogTheVictimIn(BrowserAttack):
    """The request that carries no authority yet, and is exempted for that (A49)."""

    key = "log-the-victim-in"
    title = "Log the user in to the attacker's account"
    catalogue = ("A49", "A50")
    story = (
        "Ada is not logged in. A page of mallory's submits our login, with mallory's own name and "
        "password, as a form whose text happens to be JSON. What ada enters from then on, she "
        "enters into mallory's account."
    )
    precondition = "Ada opens a page of mallory's, and trusts what the next page calls hers."
    expected = verdicts() | {
        key: Verdict.SUCCEEDS if key in ANY_SITE else Verdict.STOPPED
        for key in (*ANY_SITE, "session-no-csrf", "jwt-cookie-no-csrf")
    }

    def attack(self, visit: Visit) -> Outcome:
        mallory = visit.scene.person("mallory")
        text = json.dumps({"username": mallory.username, "password": mallory.password, "x": ""})
        name, value = text[: text.rindex('"')], '"}'
        url = f"{visit.base}{visit.path}login/"
        form = FORM.format(url=url, name=name, value=value, submit=SUBMIT)
        visit.lure(form, "Mallory's page has ada's browser log in as mallory.")
        visit.page.goto(visit.client_page)
        body = visit.asks("Ada opens her application: who does it say that she is?", "me")["body"]
        if body.get("username") == mallory.username:
            return visit.scene.succeeds(
                "Ada works in mallory's account. A login has to be CSRF-checked like any other "
                "call: it decides whose data the next ones are."
            )
        # For a 403 the server's log has the line.
        status = next(each.status for each in visit.scene.evidence() if "browser" in each.note)
        return visit.scene.stopped(
            "A login is CSRF-checked, although nobody is logged in yet, and a body has to be "
            "called JSON, which no form can do.",
            held=None if status == httpx.codes.FORBIDDEN else reads_json_only(),
        )


def reads_json_only() -> Source:
    return source_of(ContractView.initial, "request.data")
