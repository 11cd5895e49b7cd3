"""Is this the one text that a token of ours can have? Asked before PyJWT reads anything of it."""

import re

import jwt
from jwt.utils import base64url_decode

from accounts.contract.checking import check

# Stricter than PyJWT, which takes padding and white space (RFC 8725bis, section 3.14).
TOKEN_TEXT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


@check("text", "It has the one text that a token of ours can have.")
def check_text(text: str, *, most: int) -> None:
    """Refuse what is no compact JWS of at most `most` characters; raises `jwt.DecodeError`, or
    `ValueError` for what is no UTF-8.
    """
    if len(text) > most or TOKEN_TEXT.fullmatch(text) is None:
        raise jwt.DecodeError("not the text of a token")
    for segment in text.split(".")[:2]:
        # RFC 8725, section 3.7: UTF-8 only. PyJWT guesses, and takes UTF-16 as well.
        if "\0" in base64url_decode(segment).decode("utf-8"):
            raise jwt.DecodeError("not UTF-8")
