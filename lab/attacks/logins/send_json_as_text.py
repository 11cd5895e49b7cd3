"""Is a body that calls itself text read as JSON?"""

from __future__ import annotations

from accounts.contract.views import ContractView
from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.held import source_of
from lab.attacks.scene import Scene


class SendJsonAsText(Attack):
    """Any site may make a browser send `text/plain`; for JSON it has to ask first (CORS)."""

    key = "send-json-as-text"
    title = "Send JSON as plain text, as any site may"
    group = Group.LOGIN
    catalogue = ("A50",)
    story = (
        "Mallory's page has a form with `enctype=text/plain` whose text happens to be JSON. Ada's "
        "browser sends it, with all that belongs to the site."
    )
    precondition = "A page that ada visits; here even with ada's whole credential."
    expected = verdicts()

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        thief = scene.thief_of(ada)
        changed = False
        for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
            answer = thief.call(
                f"A name as JSON that calls itself {kind or 'nothing'}.",
                "PATCH",
                "me/",
                headers={"Content-Type": kind} if kind else {},
                content=b'{"display_name": "Mallory"}',
            )
            changed = changed or answer.is_success
        if changed:
            return scene.succeeds("The body was read, whatever it called itself.")
        return scene.stopped(
            "Only `application/json` is read: that, no other site can send without asking.",
            held=source_of(ContractView.initial, "request.data"),
        )
