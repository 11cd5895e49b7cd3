"""Which browser can the tests drive? Debian's or Google's Chromium, else the one of Playwright.

First the one without a window to draw: it is the same engine, and the browser tests take half as
long in it.
"""

import shutil
from pathlib import Path

NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
PLAYWRIGHT_CACHES = (".cache/ms-playwright", "Library/Caches/ms-playwright")
PLAYWRIGHT_PROGRAMS = (
    "chromium_headless_shell-*/*/*headless?shell",
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-mac*/**/MacOS/Chromium",
)


def find_browser() -> Path | None:
    """Return the program to start, or None."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    for cache in PLAYWRIGHT_CACHES:
        for program in PLAYWRIGHT_PROGRAMS:
            for path in sorted((Path.home() / cache).glob(program), reverse=True):
                return path
    return None
