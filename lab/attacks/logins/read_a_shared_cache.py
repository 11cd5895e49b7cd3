"""May a cache between ada and the site keep what she was answered?"""

from __future__ import annotations

from accounts.contract.errors import exception_handler
from lab.attacks.attack import Attack, Group, Outcome, verdicts
from lab.attacks.held import source_of
from lab.attacks.scene import Scene


class ReadASharedCache(Attack):
    """Cache deception: an address that looks like a file, an answer that is somebody's."""

    key = "read-a-shared-cache"
    title = "Read somebody's answer from a shared cache"
    group = Group.LOGIN
    catalogue = ("A62",)
    story = (
        "Mallory has ada follow a link to her profile with `/style.css` behind it, and asks the "
        "cache of the office for the same address. Everything but an error may be kept by it "
        "unless the answer forbids it."
    )
    precondition = "A cache that both use."
    expected = verdicts()

    def run(self, scene: Scene) -> Outcome:
        ada = scene.person("ada")
        ada.log_in()
        kept = []
        for path in ("me/", "whoami/", "me/style.css", "me/;style.css"):
            answer = ada.call("Ada's browser asks.", "GET", path)
            said = {word.strip() for word in answer.headers.get("Cache-Control", "").split(",")}
            if not said & {"no-store", "private"}:
                kept.append(path)
        if kept:
            return scene.succeeds(f"A cache may keep, and give to anybody: {', '.join(kept)}.")
        return scene.stopped(
            "Every answer, the errors as well, says that no cache may keep it.",
            held=source_of(exception_handler, "add_never_cache_headers"),
        )
