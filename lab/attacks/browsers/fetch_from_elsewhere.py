"""What can a script of another site send, when no form is needed and nothing has to be seen?"""

from __future__ import annotations

from lab.attacks.browsers.forging import ANY_SITE, Forgery, forgeries
from lab.attacks.browsers.second_site import Where

# First without a word to anybody: what CORS calls simple needs no permission. Then as JSON, which
# does: the browser asks our server, and has no answer.
ATTACK = """
const body = "{{}}", credentials = "include", method = "POST";
fetch("{target}", {{ mode: "no-cors", credentials, method, body,
                     headers: {{ "Content-Type": "text/plain" }} }})
  .finally(() => fetch("{target}", {{ credentials, method, body,
                                      headers: {{ "Content-Type": "application/json" }} }}));
"""


class FetchFromElsewhere(Forgery):
    """JSON in the clothes of a form, and JSON in its own (A47, A50)."""

    key = "fetch-from-elsewhere"
    title = "Send JSON by fetch from another site"
    catalogue = ("A47", "A50")
    story = (
        "A script on mallory's site sends our logout-all a body of JSON: once called text/plain, "
        "for which no browser asks anybody, and once called JSON, for which it asks us first."
    )
    precondition = (
        "Ada is logged in, and opens a page of mallory's in the same browser, which allows "
        "third-party cookies. Chromium keeps them away by itself, unless its user says otherwise."
    )
    third_parties = True
    expected = forgeries(succeeds=ANY_SITE)
    where = Where.ELSEWHERE
    note = "A script on mallory's site has ada's browser send this."
    gained = (
        "Called text/plain, the request needs no permission. The cookie went along and the body "
        "was read as JSON. Not to see the answer is no hindrance to whoever wants the effect."
    )
    learned = (
        "The cookie stayed at home. Had it come, text/plain is answered 415, what is called JSON "
        "is never sent, because we grant no other origin anything, and the CSRF check is behind."
    )

    def page(self, target: str) -> str:
        return f"<script>{ATTACK.format(target=target)}</script>"
