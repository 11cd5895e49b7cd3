"""Which checks do the libraries under us make? They do not say; here they are marked for the lab.

What is ours is marked where it stands (`accounts.contract.checking`). A library's steps are
marked from outside, once, in a process that serves the lab.
"""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from jwt.api_jws import PyJWS
from jwt.api_jwt import PyJWT
from rest_framework.permissions import IsAuthenticated
from rest_framework_simplejwt.tokens import Token

from accounts.contract.checking import check
from accounts.contract.registry import flows
from lab.receipts.recording import current, now
from lab.strategies import STRATEGIES

# Whose method, its name, what a receipt calls it, and what holds once it has passed.
CHECKS: tuple[tuple[type, str, str, str], ...] = (
    (PyJWS, "_verify_signature", "signature", "Its signature is that of the key."),
    (PyJWT, "_validate_required_claims", "required claims", "No claim that we need is missing."),
    (PyJWT, "_validate_iat", "iat", "It was issued, and not in the future."),
    (PyJWT, "_validate_nbf", "nbf", "Its time has come, if it says from when on it is good."),
    (PyJWT, "_validate_exp", "exp", "Its time is not over, give or take the leeway."),
    (PyJWT, "_validate_iss", "iss", "It was issued by us."),
    (PyJWT, "_validate_aud", "aud", "It was issued for us, and nobody else."),
    (Token, "verify_token_type", "use", "It is used for what it was issued for: SimpleJWT's type."),
    (
        IsAuthenticated,
        "has_permission",
        "credential",
        "A credential of this flow came with the request.",
    ),
)


@cache
def mark() -> None:
    """Mark the libraries' checks, and time each flow's authentication class. Once."""
    for owner, method, name, words in CHECKS:
        setattr(owner, method, check(name, words)(getattr(owner, method)))
    for owner in {_owner(flow.authentication) for flow in _flows()}:
        owner.authenticate = _timed(owner.authenticate)


def _flows() -> list[Any]:
    return [*flows(), *(row.flow for row in STRATEGIES)]


def _owner(authentication: type) -> Any:
    """The class that has the method itself; strategies inherit it."""
    return next(kind for kind in authentication.__mro__ if "authenticate" in vars(kind))


def _timed(authenticate: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(authenticate)
    def timed(self: Any, request: Any) -> Any:
        recording = current.get()
        if recording is None:
            return authenticate(self, request)
        began = now()
        try:
            return authenticate(self, request)
        finally:
            recording.authentication.append((began, now()))

    return timed
