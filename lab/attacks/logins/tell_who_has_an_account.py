"""Does an answer tell whether a username exists?"""

from __future__ import annotations

from accounts.contract.views import LoginView
from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.held import source_of
from lab.attacks.logins.doors import WRONG
from lab.attacks.scene import Scene


class TellWhoHasAnAccount(Attack):
    """First the list of names, then the passwords. (Times are held by tests of their own.)"""

    key = "tell-who-has-an-account"
    title = "Find out who has an account"
    group = Group.LOGIN
    catalogue = ("A60",)
    story = (
        "Mallory tries a wrong password for a name that exists, for one that does not, and for an "
        "account that is not active, with the right one as well; and compares the answers."
    )
    precondition = "A list of names that people like."
    expected = verdicts()

    def run(self, scene: Scene) -> Outcome:
        ada, grace = scene.person("ada"), scene.person("grace")
        scene.stage.inside.call("set_active", user_id=scene.ids["grace"], active=False)
        tried = (
            ("An account that exists.", ada.username, WRONG),
            ("A name that nobody has.", f"{ada.username}-not", WRONG),
            ("An account that is not active.", grace.username, WRONG),
            ("The same, with the right password.", grace.username, grace.password),
        )
        answers = set()
        for note, username, password in tried:
            mallory = scene.client("mallory", username)
            answer = mallory.log_in(note, password)
            names = tuple(sorted(name for name in answer.headers if name != "x-request-id"))
            answers.add((answer.status_code, answer.text, names))
        if len(answers) > 1:
            return scene.succeeds("The answers differ, so that they tell who has an account.")
        return scene.stopped(
            "One status, one sentence, the same headers: whoever asks learns that it was wrong.",
            held=source_of(LoginView.post, "raise BadLogin"),
        )
