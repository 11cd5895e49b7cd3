"""When is the lab there? (Nothing is imported at the top: see `tests/sessions_api/conftest.py`.)"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django import Settings


@pytest.fixture
def lab(settings: Settings) -> Iterator[None]:
    """The site as it is with `LAB=1`: URLs are read anew, and once more afterwards."""
    settings.LAB = True
    read_urls_anew()
    yield
    settings.LAB = False
    read_urls_anew()


def read_urls_anew() -> None:
    from importlib import import_module, reload

    from django.urls import clear_url_caches

    reload(import_module("authdemo.urls"))
    clear_url_caches()
