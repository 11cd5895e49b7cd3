"""With which browser? One real Chromium for all attacks, in a thread of its own.

Playwright's objects belong to the thread that made them, and attacks come from many: each hands
over its work and waits. What one attack leaves behind is a context, which ends with it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Playwright

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
# Chromium keeps third-party cookies away, SameSite=None or not, unless its user allows them. Only a
# profile can say so.
ALLOWS_THIRD_PARTIES = {"profile": {"block_third_party_cookies": False, "cookie_controls_mode": 0}}
Result = TypeVar("Result")


def why_no_browser() -> str:
    """What is missing to run a browser attack, and how to get it; "" if nothing is."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "needs Playwright: pip install -r tests/requirements.txt"
    if find_browser() is None:
        return (
            "needs Chromium: apt install chromium-headless-shell, or "
            "python -m playwright install chromium"
        )
    return ""


def find_browser() -> Path | None:
    found: Path | None = import_string(settings.FIND_BROWSER)()
    return found


class Chromium:
    """A browser that starts with the first work that it is given."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chromium")
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    def run(self, work: Callable[[], Result]) -> Result:
        """What `work` returns, which may call the other methods: it runs in the right thread."""
        return self._thread.submit(work).result()

    def close(self) -> None:
        """End the browser, if it runs; the next work starts another one."""
        self._thread.submit(self._stop).result()

    @contextmanager
    def context(self, *, third_parties: bool, **options: Any) -> Iterator[BrowserContext]:
        """A context of its own: no cookies, no storage, nobody logged in."""
        with ExitStack() as stack:
            if third_parties:
                folder = stack.enter_context(TemporaryDirectory(prefix="authdemo-chromium-"))
                context = self._profile(Path(folder), **options)
            else:
                context = self._running().new_context(**options)
            stack.callback(context.close)
            yield context

    def _profile(self, folder: Path, **options: Any) -> BrowserContext:
        """A browser with a profile, whose user allows third-party cookies."""
        (folder / "Default").mkdir()
        (folder / "Default" / "Preferences").write_text(json.dumps(ALLOWS_THIRD_PARTIES))
        chromium = self._driver().chromium
        return chromium.launch_persistent_context(folder, **launch_options(), **options)

    def _driver(self) -> Playwright:
        from playwright.sync_api import sync_playwright

        self._playwright = self._playwright or sync_playwright().start()
        return self._playwright

    def _running(self) -> Browser:
        self._browser = self._browser or self._driver().chromium.launch(**launch_options())
        return self._browser

    def _stop(self) -> None:
        browser, playwright = self._browser, self._playwright
        self._browser = self._playwright = None
        if playwright is None:
            return
        from playwright.sync_api import Error

        with suppress(Error):  # a Ctrl-C reaches the browser as well, and ends it before us
            if browser is not None:
                browser.close()
        with suppress(Error):
            playwright.stop()


def launch_options() -> dict[str, Any]:
    # Chromium's own sandbox refuses to run as root, as in containers.
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    args = [*FLAGS, "--no-sandbox"] if root else [*FLAGS]
    return {"executable_path": find_browser(), "args": args}


chromium = Chromium()
