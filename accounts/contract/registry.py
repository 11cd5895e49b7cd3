"""Which flows are there? Each one registers itself when its app starts; `accounts` imports none."""

from accounts.contract.flow import Flow

_flows: dict[str, Flow] = {}


def register(flow: Flow) -> None:
    """Add a flow; called from the `ready` of its AppConfig, in the order of INSTALLED_APPS."""
    _flows[flow.key] = flow


def flows() -> tuple[Flow, ...]:
    """All registered flows, in the order of INSTALLED_APPS."""
    return tuple(_flows.values())
