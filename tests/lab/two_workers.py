"""Where is the lab's instrument tried? On two real workers, with a Redis of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from django.test import override_settings

from accounts.client import authorities
from tests.deployment import deployed


@contextmanager
def two_workers(folder: Path) -> Iterator[str]:
    """The site's address; in the end its log has to be free of tracebacks."""
    served = {"DJANGO_SETTINGS_MODULE": "tests.lab.served", "WEB_WORKERS": "2"}
    with (
        deployed(folder, **served) as deployment,
        override_settings(WEB_WORKERS=2),  # `each_worker` looks for so many
    ):
        yield deployment.url
        assert "Traceback" not in (folder / "server.log").read_text()


@contextmanager
def caller_of(site: str) -> Iterator[httpx.Client]:
    """Somebody at the lab's page, as far as the lab's own calls can tell."""
    with httpx.Client(base_url=site, timeout=30, verify=authorities()) as client:
        client.headers["X-CSRFToken"] = client.get("/api/csrf/").json()["csrf_token"]
        # A browser sends Secure cookies to its own machine; httpx wants to be told.
        cookies = "; ".join(f"{each.name}={each.value}" for each in client.cookies.jar)
        client.headers["Cookie"] = cookies
        yield client


def measured(caller: httpx.Client, strategy: str, how: str) -> dict[str, Any]:
    answer = caller.post("/lab/side/revoke/", json={"strategy": strategy, "how": how})
    assert answer.status_code == 200, answer.text
    return answer.json()
