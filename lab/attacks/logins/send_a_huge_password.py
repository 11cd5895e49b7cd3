"""What does a password of a megabyte cost the server?"""

from __future__ import annotations

from contextlib import suppress

import httpx

from accounts.contract.serializers import LoginSerializer
from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.held import source_of
from lab.attacks.scene import Scene

MEGABYTE = 1_000_000


class SendAHugePassword(Attack):
    """A slow hash over a long text is slower still."""

    key = "send-a-huge-password"
    title = "Send a password of a megabyte"
    group = Group.LOGIN
    catalogue = ("A61",)
    story = "Mallory sends a megabyte as the password, then as the username, then 2000 signs."
    precondition = "Nothing at all."
    expected = verdicts()

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        mallory = scene.client("mallory", ada.username)
        bodies = (
            ("A password of a megabyte.", ada.username, "x" * MEGABYTE),
            ("A username of a megabyte.", "x" * MEGABYTE, "x"),
            ("A password of 2000 signs.", ada.username, "x" * 2000),
        )
        statuses = []
        for note, username, password in bodies:
            body = {"username": username, "password": password}
            # Surprise: the server answers and hangs up while the body is still being sent, so that
            # the answer may never be read.
            with suppress(httpx.TransportError):
                statuses.append(mallory.call(note, "POST", "login/", body).status_code)
        statuses.append(mallory.asks("Does the server still answer?").status_code)
        if any(status not in (400, 401, 413) for status in statuses):
            return scene.succeeds("It was hashed: a few senders keep the whole server busy.")
        return scene.stopped(
            "The body is bounded before it is read, and a password before it is hashed.",
            held=source_of(LoginSerializer, "password ="),
        )
