"""What does the server ask of an access token, in which order, and what do the claims mean?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings

from accounts.contract.checking import check, noted
from accounts.contract.errors import ContractError, CredentialRevoked, StoreUnavailable
from jwt_api import programs
from jwt_api.authentication import verify_access_token
from jwt_api.revocation import roles_now
from jwt_api.tokens import MOST_CHARACTERS, AccessToken, ProgramAccessToken
from lab.receipts import libraries
from lab.token.checks import Check, report

MOST_PAYLOAD_BYTES = 200
"""What the payload of an access token of this project stays within (`tests/jwt_api/`)."""

CHECKS = (
    Check(
        "text",
        f"Three base64url parts with dots between them, none of them empty, {MOST_CHARACTERS} "
        "characters at most, header and payload in UTF-8",
        "what two readers could read as two things; an empty signature ends here",
        ("_text_of",),
    ),
    Check(
        "header",
        "The header is a JSON object, and no extension that it calls critical is unknown",
        "what a stricter service would refuse",
        ("get_unverified_header",),
    ),
    Check(
        "typ",
        "`typ` says access token: at+jwt",
        "a refresh token, or any other signed text of ours, in an access token's place",
    ),
    Check(
        "key",
        "`kid` names a key of our own ring; `jwk`, `jku` and `x5u` are not looked at",
        "a key that the attacker brings along, or a path, URL or SQL in `kid`",
    ),
    Check(
        "algorithm",
        "`alg` is the one algorithm that this key is for",
        "`none`, and HS256 with the public key as its secret",
    ),
    Check(
        "signature",
        "The signature over header and payload was made by that key",
        "whoever changed as much as one bit, and has no private key",
    ),
    Check(
        "payload",
        "The payload is a JSON object",
        "a signature of ours over something that is no token",
        ("_decode_payload",),
    ),
    Check(
        "required claims",
        "Every claim that is required is there",
        "a token that never expires because it has no `exp`",
    ),
    Check("iat", "`iat` is not in the future", "a token made by a clock that is wrong"),
    Check("nbf", "`nbf`, if there is one, has come", "who holds a token made for later"),
    Check(
        "exp",
        "`exp` has not passed, give or take the leeway",
        "who stole a token earlier",
        ("check_exp",),
    ),
    Check("iss", "`iss` is us", "another issuer's token"),
    Check(
        "aud",
        "`aud` is this service (or that of programs, and then it is judged as theirs)",
        "a token that was made for another service",
    ),
    Check(
        "claims",
        "Every claim has the type and the form that we issue",
        "a list where a name is expected, which becomes a 500 or worse",
        ("_validate_sub", "_validate_jti"),
    ),
    Check(
        "use",
        "`use` says access token as well",
        "a token of another kind with this `typ`",
    ),
    Check(
        "denylist",
        "The denylist does not name it. JWT_REVOCATION is `{}`: by `expiry` nobody asks",
        "who holds a copy after the logout",
    ),
    Check(
        "program",
        "The row of a program's token is there; a login's token has none",
        "a program whose user has ended its access",
    ),
)


def verify(text: str) -> dict[str, Any]:
    """Have an access token verified by what authenticates every request; nothing is remembered.

    Any text may be given. Raises `StoreUnavailable` if a denylist is asked, and cannot be.
    """
    libraries.mark()
    error: ContractError | None = None
    with noted() as runs:
        try:
            # A lone surrogate is a character that no token has: the check of the text says so.
            judge(verify_access_token(text.encode(errors="surrogatepass")))
        except StoreUnavailable:
            raise
        except ContractError as refusal:
            error = refusal
    checks = [replace(each, words=each.words.format(settings.JWT_REVOCATION)) for each in CHECKS]
    return report(checks, runs, error)


def judge(token: AccessToken) -> None:
    """What is asked of a token that is genuine: raises `CredentialRevoked`."""
    if isinstance(token, ProgramAccessToken):
        check_program(token)
    else:
        roles_now(token, settings.JWT_REVOCATION)


@check("program", "The row of the program's token is there: its user has not ended it.")
def check_program(token: ProgramAccessToken) -> None:
    """As a request does it, without noting a use."""
    if programs.row_of(token) is None:
        raise CredentialRevoked("program's token")


# --- what a person reads ---------------------------------------------------------------------


@dataclass(frozen=True)
class Claim:
    """One member of a header or payload: what it is for, and where that is said.

    `section` of the RFC; an empty `rfc` is a claim of this project's own.
    """

    what: str
    rfc: str = ""
    section: str = ""
    is_time: bool = False


HEADER = {
    "alg": Claim("The algorithm that the signature claims to be made with.", "7515", "4.1.1"),
    "kid": Claim(
        "The name of the key. Here: the thumbprint of a key in our ring.", "7515", "4.1.4"
    ),
    "typ": Claim("What kind of token this is, so that no other kind can stand in.", "9068", "2.1"),
    "cty": Claim("What kind of thing the payload is. Ours does not say.", "7515", "4.1.10"),
    "crit": Claim("Extensions that a reader must know, or refuse.", "7515", "4.1.11"),
    "jwk": Claim(
        "A public key. Ours never brings one, and one that comes is ignored.", "7515", "4.1.3"
    ),
    "jku": Claim("Where keys could be fetched. Nobody here follows it.", "7515", "4.1.2"),
    "x5u": Claim("Where a certificate could be fetched. Nobody here follows it.", "7515", "4.1.5"),
    "x5c": Claim("A certificate chain. Nobody here looks at it.", "7515", "4.1.6"),
}
PAYLOAD = {
    "iss": Claim("Who issued it.", "7519", "4.1.1"),
    "sub": Claim("Whom it speaks of: the user's number.", "7519", "4.1.2"),
    "aud": Claim("Whom it is for. Another service must refuse it.", "7519", "4.1.3"),
    "exp": Claim("When it is over. Nothing else ends it by itself.", "7519", "4.1.4", is_time=True),
    "nbf": Claim("From when on it counts.", "7519", "4.1.5", is_time=True),
    "iat": Claim("When it was made.", "7519", "4.1.6", is_time=True),
    "jti": Claim("The name of this one token: 128 random bits.", "7519", "4.1.7"),
    "client_id": Claim("Which client it was made for.", "9068", "2.2"),
    "scope": Claim("What a program's token may do. A login's has none.", "9068", "2.2.3"),
    "roles": Claim("What its user may do. It is as old as the token.", "9068", "2.2.3.1"),
    "sid": Claim("The device: the login that it came from, which can be ended."),
    "epoch": Claim("The user's epoch. Raised by logout-all and by a new password."),
    "use": Claim("SimpleJWT's own word for the kind of token."),
}
