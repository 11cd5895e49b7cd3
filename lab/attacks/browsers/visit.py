"""What happens in ada's browser? She logs in on the page of a strategy, and mallory has a site."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from django.conf import settings

from lab.attacks.attack import Source
from lab.attacks.browsers.second_site import SecondSite, Where
from lab.attacks.scene import Scene
from lab.staging.processes import StageError

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Request, Response, Route

PATIENCE = 60_000  # milliseconds; nothing is measured here, and the machine may be busy
# What the script of the page calls, and what came of it.
CALL = """async ([key, call]) => {
    const { status, body } = await FlowClient.flows.get(key)[call]();
    return { status, body };
}"""


class Visit:
    """One attack's own context of the browser: `ada` has an account, and nobody is logged in."""

    def __init__(self, scene: Scene, context: BrowserContext, mallorys: SecondSite) -> None:
        self.scene, self.context, self.mallorys = scene, context, mallorys
        self.base, self.path = scene.base_url, scene.strategy.path
        self.ada = scene.person("ada")
        context.set_default_timeout(PATIENCE)
        self.page: Page = context.new_page()
        self.collector = ""
        """Where on mallory's site the loot arrives, once a script is told to send any."""
        self._requests: list[Request] = []
        context.on("requestfinished", lambda request: self._requests.append(request))
        context.on("requestfailed", lambda request: self._requests.append(request))

    # --- ada ----------------------------------------------------------------------------------

    @property
    def client_page(self) -> str:
        return f"{self.base}/lab/client/{self.scene.strategy.key}/"

    def log_in(self) -> None:
        """Ada opens the page of her application, and logs in."""
        self.page.goto(self.client_page)
        with self.told("ada", "Ada logs in, on the page of her application."):
            self.page.get_by_label("Username").fill(self.ada.username)
            self.page.get_by_label("Password").fill(self.ada.password)
            self.page.get_by_role("button", name="Log in").click()
            state = self.page.locator("[data-part=state]", has_text=self.ada.username)
            state.wait_for()

    def asks(self, note: str, call: str) -> dict[str, Any]:
        """Have ada's own page make a call, such as `me`: `{"status", "body"}`."""
        with self.told("ada", note):
            found: dict[str, Any] = self.page.evaluate(CALL, [self.scene.strategy.key, call])
        return found

    def is_still_in(self) -> bool:
        """Whether the browser can still renew the login."""
        answer = self.asks("Ada's own page asks whether she is still logged in.", "refresh")
        return answer["status"] == httpx.codes.OK

    # --- mallory ------------------------------------------------------------------------------

    def lure(self, html: str, note: str, where: Where = Where.ELSEWHERE) -> Page:
        """Ada opens a page of mallory's in another tab; what it makes her browser send is told."""
        page = self.context.new_page()
        with self.told("mallory", note):
            # Not until it has loaded: a page that submits itself may never come to that.
            page.goto(self.mallorys.url(self.mallorys.show(html), where), wait_until="commit")
            self.settle(page)
        return page

    def look(self, html: str, where: Where) -> Page:
        """Ada opens a page of mallory's that only shows something."""
        page = self.context.new_page()
        page.goto(self.mallorys.url(self.mallorys.show(html), where))
        return page

    def plant(self, cookies: tuple[str, ...]) -> None:
        """Ada opens a page on another port of the attacked host, which sets these cookies."""
        self.page.goto(self.mallorys.url(self.mallorys.show("", cookies=cookies), Where.SIBLING))

    def settle(self, page: Page) -> None:
        """Wait until a page that attacks by itself has got an answer, or has been refused one."""
        for _ in range(PATIENCE // 50):
            page.wait_for_timeout(50)
            if any(request.url.startswith(self.base + self.path) for request in self._requests):
                page.wait_for_timeout(50)
                return
        raise StageError("mallory's page made the browser send nothing")

    def inject(self, script: str) -> None:
        """Have the page carry a script that is not ours, as a template without escaping would.

        The answer is changed on its way to the browser, so that no hole has to be on the server.
        Its headers, the Content-Security-Policy above all, stay as they are.
        """

        def add(route: Route) -> None:
            answer = route.fetch()
            html = answer.text().replace("</main>", f"<script>{script}</script></main>")
            route.fulfill(response=answer, body=html)

        self.context.route(self.client_page, add)

    # --- what is told ---------------------------------------------------------------------------

    @contextmanager
    def told(self, who: str, note: str) -> Iterator[None]:
        """Write down the calls of the strategy that the browser sends meanwhile."""
        self._requests.clear()
        yield
        for request in list(self._requests):
            if request.url.startswith(self.base + self.path):
                self.scene._record(who, note, *_exchange(request))
        self._requests.clear()


def _exchange(request: Request) -> tuple[httpx.Request, httpx.Response | None]:
    from playwright.sync_api import Error

    sent = httpx.Request(
        request.method,
        request.url,
        headers=list(request.all_headers().items()),
        content=request.post_data_buffer or b"",
    )
    answer = request.response()
    if answer is None:
        return sent, None
    try:
        body = answer.body()
    except Error:  # the tab has gone on to another page
        body = b""
    return sent, httpx.Response(answer.status, headers=_plain(answer), content=body)


def _plain(answer: Response) -> list[tuple[str, str]]:
    """The headers, without the one that would have httpx decode what the browser has decoded."""
    lines = [(line["name"], line["value"]) for line in answer.headers_array()]
    return [line for line in lines if line[0].lower() != "content-encoding"]


# --- what attacks share -----------------------------------------------------------------------


def tokens_in(text: str) -> list[str]:
    """Whatever in a loot may open something: the strings of a JSON text, the longest first."""

    def strings(value: Any) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from (found for each in value.values() for found in strings(each))
        elif isinstance(value, list):
            yield from (found for each in value for found in strings(each))

    found = {part for each in strings(json.loads(text)) for part in each.split("; ") if part}
    return sorted(found, key=lambda text: (-len(text), text))


def line_of(path: str, mark: str, name: str = "") -> Source:
    """The place of a line that is no Python function; raises `StopIteration` if it is gone."""
    lines = (Path(settings.BASE_DIR) / path).read_text(encoding="utf-8").splitlines()
    number = next(number for number, line in enumerate(lines, 1) if mark in line)
    return Source(path, number, name or mark.split()[0])


def setting(name: str) -> Source:
    return line_of("authdemo/settings.py", name, name)
