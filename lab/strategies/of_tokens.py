"""In which ways can a server check an access token? Five of them; `of_sessions` has the others."""

from jwt_api.authentication import Authentication
from jwt_api.flow import Flow
from lab.strategies import jwt_in_cookie, naive_jwt
from lab.strategies.row import ANNOUNCED, Strategy

# --- the jwt flow with one choice fixed, whatever the settings say ---------------------------


class Unasked(Authentication):
    """No revocation is asked for: what a token was good for, it is until its end."""

    revocation = "expiry"


class JwtExpiry(Flow):
    key = "jwt-expiry"
    authentication = Unasked
    revocation = "expiry"


class AskingDenylist(Authentication):
    revocation = "lookup"


class JwtLookup(Flow):
    key = "jwt-lookup"
    authentication = AskingDenylist
    revocation = "lookup"


class MirroredDenylist(Authentication):
    revocation = "push"


class JwtPush(Flow):
    key = "jwt-push"
    authentication = MirroredDenylist
    revocation = "push"


# --- the rows -------------------------------------------------------------------------------

ROWS = (
    Strategy(
        key="jwt-naive",
        flow=naive_jwt.flow,
        variant_of="jwt",
        title="JWT, naive",
        each_request="The signature. Nothing is looked up.",
        lives_after="Until `exp`: a day.",
        weak=(
            "One token opens everything for a day. Any injected script can read it in localStorage "
            "and use it elsewhere. Logging out, logging out everywhere or changing the password "
            "does not end it, no device list shows it, and nobody notices that it was copied."
        ),
    ),
    Strategy(
        key="jwt-expiry",
        flow=JwtExpiry(),
        variant_of="jwt",
        title="JWT until it expires",
        each_request="The signature. Nothing is looked up.",
        lives_after="Until `exp`: 15 minutes at most, by default, and the leeway.",
        looking_back=Unasked,
    ),
    Strategy(
        key="jwt-lookup",
        flow=JwtLookup(),
        variant_of="jwt",
        title="JWT with a denylist",
        each_request="The signature, and one Redis read of the denylist.",
        lives_after="Until the next request.",
        looking_back=Unasked,
    ),
    Strategy(
        key="jwt-push",
        flow=JwtPush(),
        variant_of="jwt",
        title="JWT with a denylist in memory",
        each_request="The signature, and the denylist in this process's memory, which Redis keeps "
        "true by announcing what changes.",
        lives_after=ANNOUNCED,
        looking_back=Unasked,
    ),
    Strategy(
        key="jwt-cookie",
        flow=jwt_in_cookie.flow,
        variant_of="jwt",
        title="JWT in a cookie",
        each_request="The signature; for unsafe calls the CSRF token as well.",
        lives_after="Until `exp`: 15 minutes at most, by default, and the leeway.",
        looking_back=jwt_in_cookie.Authentication,
    ),
)
