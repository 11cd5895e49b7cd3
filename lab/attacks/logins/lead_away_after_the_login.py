"""Where does the login's page send somebody afterwards?"""

from __future__ import annotations

from urllib.parse import urlsplit

from accounts.pages import LoginPage
from lab.attacks.attack import SESSIONS, TOKENS, Attack, Group, Outcome, verdicts
from lab.attacks.held import source_of
from lab.attacks.logins.doors import by_form
from lab.attacks.scene import Scene

AWAY = (
    "https://evil.example/",
    "//evil.example/",
    "https:evil.example",
    "\\\\evil.example",
    "/\\evil.example",
    "javascript:alert(1)",
)
# The pages stand on the two registered flows, which are these strategies by default.
PAGES = {"session-redis": "/sessions/login/", "jwt-expiry": "/jwt/login/"}
WITHOUT = tuple(key for key in (*SESSIONS, *TOKENS) if key not in PAGES)


class LeadAwayAfterTheLogin(Attack):
    """An open redirect makes the real login the first half of a phishing page."""

    key = "lead-away-after-the-login"
    title = "Send somebody elsewhere after the login"
    group = Group.LOGIN
    catalogue = ("A66",)
    story = (
        "Mallory sends ada a link to the real login page, with `next` leading to a page of hers "
        "that looks the same and asks for the password once more."
    )
    precondition = "A link that ada follows."
    expected = verdicts(does_not_apply=WITHOUT)

    def run(self, scene: Scene) -> Outcome:
        page = PAGES.get(scene.strategy.key)
        if page is None:
            return scene.does_not_apply("This strategy is an API without a login page.")
        led_away = []
        ada = scene.person("ada")
        for address in AWAY:
            browser = scene.client("ada", ada.username)
            note = f"Ada logs in by a link with next={address}"
            answer = by_form(browser, note, page, ada.password, next=address)
            location = urlsplit(answer.headers.get("Location", ""))
            if location.scheme or location.netloc or "evil" in location.path:
                led_away.append(address)
        if led_away:
            return scene.succeeds(f"The site itself led ada to {', '.join(led_away)}.")
        return scene.stopped(
            "Only paths of this host are followed; anything else leads to the profile.",
            held=source_of(LoginPage.destination, "url_has_allowed_host_and_scheme"),
        )
