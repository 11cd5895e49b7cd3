"""Does any page show what signs?"""

from __future__ import annotations

from jwt_api.signers import Signer
from lab.attacks.attack import SESSIONS, Attack, Group, Outcome, verdicts
from lab.attacks.forged.forging import OPAQUE
from lab.attacks.held import source_of
from lab.attacks.scene import Scene

# Members of a private JWK (RFC 7518, section 6), and what a traceback would show.
PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
TRACES = ("PRIVATE KEY", "SECRET_KEY", "Traceback", "JWT_SIGNING_KEY")
PAGES = ("/.well-known/jwks.json", "/api/schema/", "/nothing-here/", "/api/jwt/nothing/", "/admin/")


class LookForPrivateKeys(Attack):
    """One leaked key is every user, for as long as it is trusted."""

    key = "look-for-private-keys"
    title = "Look for the private key on the site's pages"
    group = Group.FORGED
    catalogue = ("A65",)
    story = "Mallory reads the key set, the schema, the admin's door and error pages."
    precondition = "Nothing at all."
    expected = verdicts(does_not_apply=SESSIONS)

    def run(self, scene: Scene) -> Outcome:
        mallory = scene.person("mallory")
        mallory.log_in()
        if mallory.access_token is None:
            return scene.does_not_apply(OPAQUE)
        found = []
        for page in PAGES:
            answer = mallory.raw("What does this tell?", "GET", page)
            found += [word for word in TRACES if word in answer.text]
        jwks = mallory.http.get(PAGES[0]).json()["keys"]
        found += [name for key in jwks for name in PRIVATE if name in key]
        if found:
            return scene.succeeds(f"These stand there for everybody: {', '.join(found)}.")
        return scene.stopped(
            "A key is shown by the names of its public members; the others are never read.",
            held=source_of(Signer.__init__, "THUMBPRINT_MEMBERS"),
        )
