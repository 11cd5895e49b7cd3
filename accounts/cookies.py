"""Which of two cookies of one name is the real one? Nobody can tell: the request is refused.

Threat: cookie tossing. Django keeps the last cookie of a name. A sibling subdomain, or a
proxy, that puts a second one beside the victim's would choose the login under which the
victim works. `__Host-` keeps siblings out of most browsers, and only where cookies are Secure.
"""

import re
from collections import Counter
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from accounts.contract.checking import check
from accounts.contract.errors import CookieTossed
from accounts.middleware import plain_error

MOST_COOKIES = 1000  # browsers keep 50 to 200 for a site
UNPRINTABLE = re.compile(r"[^\x21-\x7e]+")


class CookieTossingMiddleware:
    """Stands before everything that reads a cookie."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if is_tossed(request.META.get("HTTP_COOKIE", "")):
            return plain_error(request, CookieTossed("our cookies twice, in disguise, or too many"))
        return self.get_response(request)


@check("cookies", "No cookie of ours came twice, or in disguise.", refuses=bool)
def is_tossed(header: str) -> bool:
    """Is one of our cookies in this header more than once, or under a name in disguise?

    Or can nobody say, because there are more cookies than a browser keeps.

    Threat: to a browser, an en quad before `__Host-` makes it another prefix, so that any
    sibling may set the cookie; Django strips the name of all Unicode's white space.
    """
    if header.count(";") > MOST_COOKIES:
        return True
    sent = [chunk.partition("=")[0].strip(" \t") for chunk in header.split(";")]
    # Not by Django's own `strip`: what has been decoded otherwise must be recognised as well.
    names = [UNPRINTABLE.sub("", name) for name in sent]
    often = {name for name, times in Counter(names).items() if times > 1}
    disguised = {name for name, raw in zip(names, sent, strict=True) if name != raw}
    doubtful = often | disguised
    # Other people's cookies may come as they like; most requests are done without this look.
    return bool(doubtful) and not doubtful.isdisjoint(our_cookies())


def our_cookies() -> set[str]:
    """Every name that a `…_COOKIE_NAME` of the settings gives away."""
    return {getattr(settings, name) for name in dir(settings) if name.endswith("_COOKIE_NAME")}
