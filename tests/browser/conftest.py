"""What does every browser test have? A live server, its people, and an eye on the console."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, expect
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

if TYPE_CHECKING:
    from accounts.models import User

# Chromium writes every answer of 400 and above to the console, also the expected ones. A missing
# file (404) is not expected.
EXPECTED = re.compile(r"Failed to load resource: .* status of (400|401|403|405|429|502|503) ")
TELL_VIOLATIONS = """
    document.addEventListener("securitypolicyviolation", (event) => {
        console.error(`CSP refused ${event.violatedDirective} ${event.blockedURI}`);
    });
"""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for `key` once for every flow."""
    if "key" in metafunc.fixturenames:
        from accounts.contract.registry import flows

        metafunc.parametrize("key", [flow.key for flow in flows()])


@pytest.fixture
def ada(transactional_db: None) -> "User":
    from accounts.models import User
    from tests.browser.steps import PASSWORD

    return User.objects.create_user("ada", password=PASSWORD, display_name="Ada")


@pytest.fixture(scope="session", autouse=True)
def _patience() -> None:
    from tests.browser.steps import PATIENCE

    expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session", autouse=True)
def _prompt_server() -> None:
    """Have the live server send at once: Nagle's algorithm costs 40 ms an answer here."""
    from django.core.servers.basehttp import WSGIRequestHandler

    WSGIRequestHandler.disable_nagle_algorithm = True


@pytest.fixture
def site(live_server: LiveServer, ada: "User", settings: Settings) -> str:
    """The address of a running site where ada has an account, with the lab beside the flows."""
    settings.LAB = True
    settings.ROOT_URLCONF = "tests.browser.urls"
    load_middleware_anew(live_server)
    return live_server.url


def load_middleware_anew(live_server: LiveServer) -> None:
    """Have what the lab puts in the way of requests: the server was started without it."""
    application: Any = live_server.thread.httpd.get_app()
    while application is not None:  # each serves some files, and else answers, or asks the next
        application.load_middleware()
        application = getattr(application, "application", None)


@pytest.fixture
def context(context: BrowserContext) -> Iterator[BrowserContext]:
    """Playwright's context; fails the test on script errors, console errors and CSP violations."""
    from tests.browser.steps import PATIENCE

    wrong: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and not EXPECTED.match(message.text):
            wrong.append(f"{message.text} ({message.location.get('url', '')})")

    context.set_default_timeout(PATIENCE)
    context.add_init_script(TELL_VIOLATIONS)
    context.on("console", listen)
    context.on("weberror", lambda error: wrong.append(str(error.error)))
    yield context
    assert wrong == []
