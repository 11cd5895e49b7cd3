"""How do the pages look? Remakes the pictures in `docs/images` from a running site.

The site is an ordinary one with demo users: `make run`, then `python manage.py screenshots`.
"""

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from authdemo.browser import find_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES = Path(settings.BASE_DIR) / "docs" / "images"
WIDTH, HEIGHT = 1280, 1640
USER, PASSWORD = "ada", "ada-demo-password"  # the published one of the demo user
MOST_BYTES = 300_000


class Command(BaseCommand):
    help = "Remake the pictures in docs/images from a running site with demo users."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", default=f"http://127.0.0.1:{settings.PORT}")

    def handle(self, *args: Any, url: str, **options: Any) -> None:
        if find_spec("playwright") is None:
            raise CommandError(
                "The pictures are taken with Playwright, which the project itself does not need: "
                "pip install -r tests/requirements.txt"
            )
        from playwright.sync_api import Error, sync_playwright

        browser_path = find_browser()
        if browser_path is None:
            raise CommandError("No browser was found. Debian has one: apt-get install chromium.")
        IMAGES.mkdir(parents=True, exist_ok=True)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=str(browser_path), args=["--no-sandbox"]
            )
            try:
                self.take(browser, url.rstrip("/"))
            except Error as error:
                raise CommandError(
                    f"{url} did not answer as a site with demo users does. "
                    f"Start one with `make run`. ({error.message.splitlines()[0]})"
                ) from error
            finally:
                browser.close()

    def take(self, browser: "Browser", url: str) -> None:
        for theme in ("light", "dark"):
            with side_by_side(browser, url, theme) as page:
                self.keep(page, f"side-by-side-{theme}.png")
                page.set_viewport_size({"width": 1200, "height": 700})
                for flow in ("sessions", "jwt"):
                    page.goto(f"{url}/{flow}/devices/")
                    page.get_by_role("button", name="Log out everywhere").wait_for()
                    self.keep(page, f"{flow}-devices-{theme}.png")
                    page.goto(f"{url}/{flow}/login/")
                    self.keep(page, f"{flow}-login-{theme}.png")

    def keep(self, page: "Page", name: str) -> None:
        path = IMAGES / name
        page.screenshot(path=path)
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise CommandError(f"{name} has {size} bytes; {MOST_BYTES} is the most.")
        self.stdout.write(f"{path.relative_to(settings.BASE_DIR)}  {size // 1000} kB")


@contextmanager
def side_by_side(browser: "Browser", url: str, theme: str) -> Iterator["Page"]:
    """The home page in one theme, logged in on both sides, without older devices in the list."""
    context = browser.new_context(
        viewport={"width": WIDTH, "height": HEIGHT},
        color_scheme=theme,  # type: ignore[arg-type]  # one of Playwright's literals
    )
    page = context.new_page()
    page.goto(url)
    log_in(page)
    press(page, "jwt", "Log out everywhere")
    log_in(page)
    for verb in ("devices", "me", "whoami"):
        press(page, "sessions", verb)
        press(page, "jwt", verb)
    # The pointer and the focus are no part of the picture.
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    yield page
    context.close()


def log_in(page: "Page") -> None:
    for flow in ("sessions", "jwt"):
        settle(page, flow)
        column = page.locator(f'.column[data-flow="{flow}"]')
        column.get_by_label("Username").fill(USER)
        column.get_by_label("Password", exact=True).fill(PASSWORD)
        press(page, flow, "Log in")
        column.get_by_text(f"Logged in as {USER}", exact=True).wait_for()


def press(page: "Page", flow: str, verb: str) -> None:
    page.locator(f'.column[data-flow="{flow}"]').get_by_role(
        "button", name=verb, exact=True
    ).click()
    settle(page, flow)


def settle(page: "Page", flow: str) -> None:
    page.locator(f'.column[data-flow="{flow}"][aria-busy="false"]').wait_for()
