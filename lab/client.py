"""What does an application's page do with a login? One page for each strategy, sound or weak.

It holds what the client rule says, where the strategy has it held: in a cookie, in the page's
memory, or in localStorage, as most tutorials do. Browser attacks are made on it.
"""

from typing import Any

from django.http import Http404
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView

from lab.differences import difference
from lab.strategies import STRATEGIES, Strategy
from lab.weakened import WEAKENED, Weakened


@method_decorator(never_cache, name="dispatch")
class ClientPage(TemplateView):
    """Log in by one strategy, and call it."""

    template_name = "lab/client.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        rows = [row for row in (*STRATEGIES, *WEAKENED) if row.key == kwargs["key"]]
        if not rows:
            raise Http404
        return super().get_context_data(row=rows[0], keeps=place_of_token(rows[0]), **kwargs)


def place_of_token(row: Strategy) -> str:
    """Where the page keeps an access token between two calls; "" if it never has one."""
    sound = row.sound if isinstance(row, Weakened) else row.key
    if not difference("token_in_the_body", sound):
        return ""
    # Without a cookie there is nothing to get another token with, so it has to outlive a reload.
    return "localStorage" if "cookie" in difference("lacks", sound) else "memory"
