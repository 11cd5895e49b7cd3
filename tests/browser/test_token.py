"""Can a person take a token and a session id apart, change them, forge them, and see the answer?"""

import json
import re
from typing import Any

import pytest
from jwt.utils import base64url_encode
from playwright.sync_api import Locator, Page, expect

from tests.browser.steps import PASSWORD
from tests.browser.test_accessibility import complaints

pytestmark = pytest.mark.browser


def inspector(page: Page, site: str, part: str) -> Locator:
    page.goto(f"{site}/lab/token/#{part}")
    return page.locator(f"#{part}")


def press(here: Locator, name: str) -> None:
    """Press a button and wait until what it began is done."""
    here.get_by_role("button", name=name, exact=True).click()
    expect(here).to_have_attribute("aria-busy", "false")


def verdict(here: Locator, of: str) -> Locator:
    return here.locator(f"[data-part={of}] [role=status]")


def log_in(here: Locator, first: str) -> None:
    press(here, first)
    here.get_by_label("Username").fill("ada")
    here.get_by_label("Password", exact=True).fill(PASSWORD)
    press(here, "Log in as ada")


@pytest.fixture
def sent(page: Page) -> list[str]:
    """The URLs of everything that the page asked for."""
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    return urls


# What is forged -> the check that the server says refused it
FORGERIES = {
    "alg: none": "text",
    "alg: None": "text",
    "alg: NONE": "text",
    "alg: nOnE": "text",
    "alg: none, the old signature left on": "algorithm",
    "The signature left empty": "text",
    "Roles edited, the old signature": "signature",
    "exp edited by ten years, the old signature": "signature",
    "The signature of another token": "signature",
    "HS256 over the public key: PEM": "algorithm",
    "HS256 over the public key: PEM and a newline": "algorithm",
    "HS256 over the public key: DER": "algorithm",
    "HS256 over the public key: JWK": "algorithm",
    "An own key, brought along in jwk": "key",
    "An own key in jwk, under the server's kid": "signature",
    "An own key, to be fetched from jku": "key",
    "kid: ../../../dev/null": "key",
    "kid: SQL": "key",
}


@pytest.mark.thorough
def test_a_token_from_taking_it_to_forging_it(page: Page, site: str, sent: list[str]) -> None:
    here = inspector(page, site, "token")
    log_in(here, "Take mine")
    token = here.get_by_label("A token").input_value()
    expect(verdict(here, "decoded")).to_contain_text("Read without a key")
    expect(here.locator("[data-claim=exp]")).to_contain_text("in 14 min")
    expect(here.locator("[data-claim=sub]")).to_contain_text("RFC 7519, section 4.1.2")
    expect(here.locator("[data-part=budget]")).to_contain_text("within the 200")
    press(here, "Verify")
    expect(verdict(here, "verified")).to_contain_text("Passed: all 14 checks")
    press(here, "Send")
    expect(verdict(here, "sent")).to_contain_text("It was let in, as it came: 200")

    here.get_by_role("button", name="in the payload").click()
    press(here, "Flip one bit of it, and verify")
    expect(verdict(here, "verified")).to_contain_text("Refused at check 6 of 17, signature")
    expect(here.locator("[data-check=payload]")).to_contain_text("not reached")
    expect(here.locator("[data-part=where]")).to_contain_text("Refused in jwt_api/tokens.py, line")

    here.get_by_role("button", name="The code of the check signature").click()
    expect(page.get_by_role("dialog")).to_contain_text("def _verify_signature")
    page.get_by_role("button", name="Close").click()

    press(here, "Back to the original")
    here.get_by_label("Member", exact=True).select_option("typ")
    here.get_by_label("as JSON").fill('"rt+jwt"')
    press(here, "Set it, keep the signature, and verify")
    expect(verdict(here, "verified")).to_contain_text("Refused at check 3 of 17, typ")
    here.get_by_label("as JSON").fill("admin")
    press(here, "Set it, keep the signature, and verify")
    expect(verdict(here, "verified")).to_contain_text("Not JSON")

    press(here, "Back to the original")
    assert here.get_by_label("A token").input_value() == token
    here.get_by_label("How", exact=True).select_option("kid: SQL")
    press(here, "Forge it and send it")
    expect(verdict(here, "sent")).to_contain_text("401 credential_invalid")
    expect(here.get_by_label(re.compile("The server.s answer"))).to_contain_text(
        "GET /api/jwt/whoami/"
    )
    press(here, "Forge and send every one")
    expect(verdict(here, "sent")).to_contain_text(f"0 of {len(FORGERIES)} forgeries got in")
    rows = [row.inner_text().split("\t") for row in here.locator("[data-part=rows] tr").all()]
    assert {name: check for name, check, _ in rows} == FORGERIES
    assert {answer.strip() for *_, answer in rows} == {"401 credential_invalid"}

    assert complaints(page) == []
    assert not [url for url in sent if token[:40] in url or token[-20:] in url]
    press(here, "Clear")
    expect(verdict(here, "decoded")).to_contain_text("Nothing to decode yet")
    expect(here.locator("[data-claim]").first).to_be_hidden()


# The part in which a bit is flipped -> the check that refuses it. What the flip leaves of a header
# is chance: no JSON, another key, another type.
POINTED_AT = {"header": "", "payload": ", signature:", "signature": ", signature:"}


def test_a_part_is_pointed_at_and_its_middle_is_flipped(page: Page, site: str) -> None:
    here = inspector(page, site, "token")
    log_in(here, "Take mine")
    token = here.get_by_label("A token").input_value()
    for index, (part, check) in enumerate(POINTED_AT.items()):
        here.get_by_role("button", name=f"in the {part}").click()
        press(here, "Flip one bit of it, and verify")
        flipped = here.get_by_label("A token").input_value()
        changed = [old != new for old, new in zip(token, flipped, strict=True)]
        assert changed.count(True) == 1
        assert token[: changed.index(True)].count(".") == index
        expect(verdict(here, "verified")).to_contain_text(re.compile(f"Refused at check .*{check}"))
        press(here, "Back to the original")


def test_a_token_is_sent_to_everybody_who_takes_one(page: Page, site: str) -> None:
    here = inspector(page, site, "token")
    log_in(here, "Take mine")
    chooser = here.get_by_label("Send to")
    answer = here.get_by_label(re.compile("The server.s answer"))
    targets = [each.get_attribute("value") for each in chooser.get_by_role("option").all()]
    assert "/api/jwt/whoami/" in targets
    refused = []
    for target in targets:
        chooser.select_option(target)
        press(here, "Send")
        expect(answer).to_contain_text(f"GET {target}\nHTTP ")
        if "HTTP 200" not in answer.inner_text():
            refused.append(target)
    assert refused == ["/lab/strategies/jwt-naive/whoami/"]  # it has tokens of its own


def jws(payload: bytes) -> str:
    """Signed by nobody."""
    return ".".join(base64url_encode(part).decode() for part in (b'{"alg":"ES256"}', payload, b"x"))


PASTED = {
    "hello": "has 1 part,",
    "eyJhIjoxfQ.eyJhIjoxfQ": "has 2 parts",
    "a.b.c.d.e": "5 parts",
    "a" * 2**20: "1,048,576 characters",
    "aa\0.aa.aa": "U+0000 at character 3 of the header",
    "Bearer e30.e30.aa": "U+0020 at character 7 of the header",
    "e30.e30=.aa": "“=” (U+003D) at character 4 of the payload",
    "e30.🦆.aa": "“🦆” (U+1F986)",
    "aaaaa.e30.aa": "a lone character",
    ".e30.aa": "the header is empty",
    jws(b"\xff"): "the payload is not UTF-8",
    jws(b"{"): "the payload is not JSON",
    jws(b"[1]"): "the payload is JSON, but no object",
    jws(b'{"a":' * 5000 + b"1" + b"}" * 5000): "nested 5000 deep",
    jws(json.dumps({"<b>": "<script>alert(1)</script>", "exp": 1e300}).encode()): "Read without",
}


def test_any_text_may_be_pasted(page: Page, site: str) -> None:
    here = inspector(page, site, "token")
    field = here.get_by_label("A token")
    for text, words in PASTED.items():
        field.evaluate(
            "(field, text) => { field.value = text; field.dispatchEvent(new Event('input')); }",
            text,
        )
        expect(verdict(here, "decoded")).to_contain_text(words)
    expect(here.locator("[data-claim='<b>']")).to_contain_text("<script>alert(1)</script>")
    expect(here.locator("[data-claim=exp]")).to_contain_text("not a time")
    press(here, "Forge it and send it")
    expect(verdict(here, "sent")).to_contain_text("401 credential_invalid")


def test_a_session_id_from_looking_at_it_to_guessing_it(page: Page, site: str) -> None:
    here = inspector(page, site, "session")
    log_in(here, "Look at mine")
    expect(verdict(here, "verified")).to_contain_text("Passed: all 5 checks")
    digest = here.locator("[data-part=digest]").inner_text()
    expect(here.locator("[data-part=key]")).to_have_text(f"session:{{{user()}}}:{digest}")
    expect(here.locator("[data-part=ttl]")).to_contain_text("in 13 days")
    press(here, "Change it in mine, and look that up")
    expect(verdict(here, "verified")).to_contain_text("Refused at check 2 of 5, record")
    expect(here.locator("[data-part=edited]")).to_contain_text(f"Yours is {digest}")
    here.get_by_label("A session id", exact=True).fill("1.*")
    press(here, "Look it up")
    expect(verdict(here, "verified")).to_contain_text("Refused at check 1 of 5, session id")

    # 2**255 / (10**6 * 10**6) seconds are 10**57.26 years.
    expect(verdict(here, "guessed")).to_contain_text("10^57 years")
    here.get_by_label("Tries per second").fill("1000")
    press(here, "Compute")
    expect(verdict(here, "guessed")).to_contain_text("10^60 years")
    secret = page.context.cookies(site)
    held = {each["name"]: each["value"] for each in secret}
    shown = page.content()
    assert [name for name, value in held.items() if len(value) > 16 and value in shown] == []
    page.set_viewport_size({"width": 320, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def user() -> Any:
    from accounts.models import User

    return User.objects.get().pk
