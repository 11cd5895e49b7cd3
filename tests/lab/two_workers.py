"""Where is the lab's instrument tried? On two real workers, with a Redis of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.deployment import deployed


@contextmanager
def two_workers(folder: Path) -> Iterator[str]:
    """The site's address; in the end its log has to be free of tracebacks."""
    served = {"DJANGO_SETTINGS_MODULE": "tests.lab.served", "WEB_WORKERS": "2"}
    with deployed(folder, **served) as deployment:
        yield deployment.url
        assert "Traceback" not in (folder / "server.log").read_text()
