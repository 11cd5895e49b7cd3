"""Which strategies stand side by side? Those that the address names: a link shows what I see."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView

from lab.differences import difference
from lab.side import outages
from lab.side.ways import WAYS
from lab.strategies import STRATEGIES, Strategy

DEFAULT = ("session-redis", "jwt-expiry")
MOST_COLUMNS = 3


def chosen(text: str) -> list[Strategy]:
    """The strategies that `?columns=` names, in its order, each once; unknown words are dropped."""
    by_key = {row.key: row for row in STRATEGIES}
    keys = [key for key in dict.fromkeys(text.split(",")) if key in by_key]
    # A flow that was taken out of the project took its strategies along.
    keys = keys or [key for key in DEFAULT if key in by_key] or list(by_key)[:2]
    return [by_key[key] for key in keys[:MOST_COLUMNS]]


def column(row: Strategy) -> dict[str, Any]:
    """What the template shows of one strategy."""
    return {
        "row": row,
        "cookie": cookie_of(row),
        # What `whoami` answers to the old credential right after a logout.
        "ended_login": reverse("lab:ended-login", args=[row.key]) if row.looking_back else "",
        "lives_on": difference("whoami_after_logout", row.key) == 200,
    }


def cookie_of(row: Strategy) -> str:
    """The cookie that holds its long-lived secret; none where nothing is kept in one."""
    name = difference("cookie_name", row.key) or ""
    return settings.COOKIE_PREFIX + name.removeprefix("__Host-") if name else ""


@method_decorator(never_cache, name="dispatch")
class SidePage(TemplateView):
    """The instrument of the comparison. The server renders the stage; the page asks the API."""

    template_name = "lab/side/page.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = chosen(self.request.GET.get("columns", ""))
        return super().get_context_data(
            columns=[column(row) for row in rows],
            strategies=STRATEGIES,
            keys=[row.key for row in rows],
            most_columns=MOST_COLUMNS,
            outages=outages.kinds(),
            lengths=outages.LENGTHS,
            redis_is_named=bool(settings.REDIS_URL),
            ways=[(key, way.title) for key, way in WAYS.items()],
            present="present" in self.request.GET,
            **kwargs,
        )
