"""With which browser? One real Chromium for all attacks, in a thread of its own.

Playwright's objects belong to the thread that made them, and attacks come from many: each hands
over its work and waits. What one attack leaves behind is a context, which ends with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from django.conf import settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

FLAGS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Surprise: Chromium asks a person before a page that did not come from this machine itself (one
    # whose answer was changed on the way counts as such) may call it. Elsewhere mallory's site is
    # on another machine, and nobody is asked.
    "--disable-features=LocalNetworkAccessChecks",
)
Result = TypeVar("Result")


def why_no_browser() -> str:
    """What is missing to run a browser attack, and how to get it; "" if nothing is."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "needs Playwright: pip install -r tests/requirements.txt"
    if find_browser() is None:
        return "needs Chromium: apt install chromium, or python -m playwright install chromium"
    return ""


def find_browser() -> Path | None:
    found: Path | None = import_string(settings.FIND_BROWSER)()
    return found


class Chromium:
    """A browser that starts with the first work that it is given."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chromium")
        self._running: tuple[Playwright, Browser] | None = None

    def run(self, work: Callable[[Browser], Result]) -> Result:
        return self._thread.submit(lambda: work(self._browser())).result()

    def close(self) -> None:
        """End the browser, if it runs; the next work starts another one."""
        self._thread.submit(self._stop).result()

    def _browser(self) -> Browser:
        from playwright.sync_api import sync_playwright

        if self._running is None:
            playwright = sync_playwright().start()
            # Chromium's own sandbox refuses to run as root, as in containers.
            root = hasattr(os, "geteuid") and os.geteuid() == 0
            args = [*FLAGS, "--no-sandbox"] if root else [*FLAGS]
            browser = playwright.chromium.launch(executable_path=find_browser(), args=args)
            self._running = playwright, browser
        return self._running[1]

    def _stop(self) -> None:
        if self._running is not None:
            playwright, browser = self._running
            self._running = None
            browser.close()
            playwright.stop()


chromium = Chromium()
