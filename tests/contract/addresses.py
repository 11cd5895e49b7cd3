"""Which addresses does the site have? As data, for what must hold at each one of them.

`test_hostile_input.py` holds the table to the site's URLs. `{flow}` and `{device}` are whose they
are that asks; the lab's addresses are 404 where there is no lab.
"""

from collections.abc import Iterator

from accounts.client import FlowClient
from accounts.contract.registry import flows
from tests.contract.calls import CALLS

# In the forms of OAuth instead of the contract's (RFC 7662): a form is its body, HTTP Basic is how
# its clients prove who they are, and nobody else gets farther than that.
INTROSPECTION = "/api/jwt/introspect/"
BESIDE: dict[str, set[str]] = {
    "/api/csrf/": {"GET"},
    "/api/docs/": {"GET"},
    "/api/schema/": {"GET"},
    "/api/jwt/tokens/": {"GET", "POST"},
    "/api/jwt/tokens/{device}/": {"DELETE"},
    INTROSPECTION: {"POST"},
    "/.well-known/jwks.json": {"GET"},
    "/healthz": {"GET"},
    "/readyz": {"GET"},
    "/metrics": {"GET"},
    "/": {"GET"},
    "/{flow}/login/": {"GET", "POST"},
    "/{flow}/profile/": {"GET", "POST"},
    "/{flow}/devices/": {"GET", "POST"},
    "/{flow}/logout/": {"GET", "POST"},
    "/{flow}/signup/": {"GET", "POST"},
    "/{flow}/signup/link/": {"GET", "POST"},
    "/{flow}/reset/": {"GET", "POST"},
    "/{flow}/reset/link/": {"GET", "POST"},
    "/{flow}/email/link/": {"GET", "POST"},
    "/admin/": {"GET"},
    "/admin/login/": {"GET", "POST"},
    "/admin/logout/": {"GET", "POST"},
    "/admin/password_change/": {"GET", "POST"},
    "/lab/": {"GET"},
    "/lab/side/worker/": {"GET"},
    "/lab/side/outage/": {"GET", "POST", "DELETE"},
    "/lab/side/times/": {"GET", "POST"},
    "/lab/side/revoke/": {"POST"},
    "/lab/remembered/{flow}/": {"GET"},
    "/lab/remembered/{flow}/ended/": {"GET"},
    "/lab/token/": {"GET"},
    "/lab/token/verify/": {"POST"},
    "/lab/token/session/": {"POST"},
    "/lab/audit/": {"GET", "POST"},
    "/lab/audit/state/": {"GET"},
    "/lab/decide/": {"GET"},
    "/lab/attacks/": {"GET"},
    "/lab/attacks/run/": {"GET", "POST"},
    "/lab/attacks/{device}/{flow}/": {"GET"},
    "/lab/client/{device}/": {"GET"},
    "/lab/mailbox/": {"GET"},
    "/lab/code/": {"GET"},
    "/api/nothing/": set(),
}
ADDRESSES: dict[str, set[str]] = {**BESIDE}
for call in CALLS:
    ADDRESSES.setdefault("/api/{flow}/" + call.path, set()).add(call.method)

# To POST there is all that it takes to log out, or to begin an audit, whatever the body says.
ACT_WITHOUT_A_BODY = ("/{flow}/logout/", "/admin/logout/", "/lab/audit/")

LEFT_OUT = {
    "admin/": "Django's own views, for members of staff; who is none is sent away before they run",
    "lab/strategies/": "the contract's views; their checks meet `test_tampering.py`",
    "lab/weakened/": "the strategies, each with one check less, on purpose",
}
"""What begins so and is not in the table, and why."""


def addresses(
    client: FlowClient, device: str = "AAAAAAAAAAA", *, but: tuple[str, ...] = ()
) -> Iterator[tuple[str, set[str]]]:
    """Each address as this client asks for it, and its methods.

    One that belongs to no flow does the same for both, so that one of them asks for it.
    """
    for path, methods in ADDRESSES.items():
        if path not in but and ("{flow}" in path or client.flow == flows()[0].key):
            yield path.format(flow=client.flow, device=device), methods
