"""Which flows are there? Each one registers itself when its app starts; `accounts` imports none."""

from collections.abc import Callable

from accounts.contract.flow import Flow

_flows: dict[str, Flow] = {}
_beside: dict[str, tuple[Flow, Callable[[], bool]]] = {}


def register(flow: Flow) -> None:
    """Add a flow; called from the `ready` of its AppConfig, in the order of INSTALLED_APPS."""
    _flows[flow.key] = flow


def register_beside(flow: Flow, *, is_on: Callable[[], bool]) -> None:
    """Add a flow that the site does not offer, and that keeps logins of its own while it is on.

    Threat: what logout-all, a new password or the device list does not reach would live on.
    """
    _beside[flow.key] = (flow, is_on)


def flows() -> tuple[Flow, ...]:
    """The flows that the site offers, in the order of INSTALLED_APPS."""
    return tuple(_flows.values())


def keepers() -> tuple[Flow, ...]:
    """Every flow that keeps logins: whoever lists, ends or purges them asks all of these."""
    return (*flows(), *(flow for flow, is_on in _beside.values() if is_on()))
